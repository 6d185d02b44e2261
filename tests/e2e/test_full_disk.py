"""S39: on a full disk no worker ends, checks go on, the rest is refused; then all resumes."""

import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest


from tests.e2e.service import PASSWORD, Installation, Service, User, install

_DISK = "64m"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of its own, small enough to be filled."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=0755", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"LEFT OUT, a full disk: nothing can be mounted here: {mounted.stderr}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left meanwhile."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    try:
        assert os.statvfs(disk).f_bavail == 0
        yield
    finally:
        filler.unlink()


def test_explore(disk: Path) -> None:
    installation = install(disk)
    installation.migrate()
    with installation.serve() as service:
        user = service.sign_up(plan="scale")
        workers = set(service.gunicorn.worker_pids())
        print("A", [service.authorize(user.api_key) for _ in range(5)])
        with full(disk):
            print("full", [service.authorize(user.api_key) for _ in range(300)].count(200))
            r = service.insist("/api/auth/signup", {"email": "x@example.com", "password": PASSWORD})
            print(r.status_code, r.text)
            print(user.request("POST", "/api/auth/api-keys", json={"name": "x"}).text)
            print(service.client.get("/readyz").text)
            print(service.client.get("/healthz").text)
            import time; time.sleep(3)
            print(service.client.get("/readyz").text)
            os.kill(next(iter(workers)), 9)
            time.sleep(1.5)
            print("full", [service.authorize(user.api_key) for _ in range(60)].count(200))
            for c in (("backup", str(disk / "b.db")), ("cleanup",), ("events", "export"), ("usage", "top"), ("status",)):
                p = installation.start(*c); o, e = p.communicate(); print(c, p.returncode, o[:100], e[-300:])
        print(set(service.gunicorn.worker_pids()), workers)
        print(service.insist("/api/auth/signup", {"email": "x@example.com", "password": PASSWORD}).status_code)
        print("".join(l + "\n" for l in service.gunicorn.log().splitlines() if "ragauth.request" not in l)[:6000])
    assert 0
