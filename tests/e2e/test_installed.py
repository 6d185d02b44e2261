"""S5: the wheel alone, in an empty folder, keeps its files to its own user and does its work."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from tests.e2e.service import COMMAND_SECONDS, PASSWORD
from tests.servers.gunicorn import PROJECT_ROOT, start_gunicorn
from tests.waiting import wait_until

_BUILD = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
_SOURCES = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with what the wheel holds."""
    sources, site = tmp_path / "sources", tmp_path / "site"
    shutil.copytree(PROJECT_ROOT / "ragauth", sources / "ragauth")
    for name in _SOURCES:
        shutil.copy(PROJECT_ROOT / name, sources)
    build = [sys.executable, "-c", _BUILD, str(tmp_path)]
    subprocess.run(build, cwd=sources, check=True, capture_output=True, timeout=COMMAND_SECONDS)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


@pytest.fixture
def usual_umask() -> Iterator[None]:
    """A new file is for every user to read, unless who makes it says otherwise."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_the_obvious_command_in_an_empty_folder_is_a_whole_service(
    installed: Path, tmp_path: Path
) -> None:
    """S5 and S33: the factory's defaults are those of a server; a command makes no instance."""
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = {"PATH": os.defpath, "PYTHONPATH": str(installed), "RAGAUTH_BCRYPT_COST": "10"}

    def flask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "ragauth", *arguments],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    refused = flask("accounts", "list")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"ragauth: there is no instance in {folder}/instance (")
    assert refused.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []
    upgraded = flask("db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr

    instance = folder / "instance"
    with (
        start_gunicorn(environment, app="ragauth:create_app()", cwd=folder) as gunicorn,
        httpx.Client(base_url=gunicorn.url, timeout=30) as client,
    ):
        assert client.get("/readyz").status_code == 200
        body = {"email": "dev@example.com", "password": PASSWORD}
        signed_up = client.post("/api/auth/signup", json=body).json()["data"]
        key = {"Authorization": f"Bearer {signed_up['api_key']}"}
        assert client.get("/api/v1/authorize", headers=key).status_code == 200
        wait_until(lambda: any(instance.glob("outbox/*.eml")))
        wait_until(lambda: _saved_units(instance / "ragauth.db") == 1)
        modes = {
            str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
            for path in [instance, *instance.rglob("*")]
        }
        log = gunicorn.log()
    assert {
        "ragauth.db",
        "ragauth.db-wal",
        "ragauth.db-shm",
        "secret_key",
        "counters",
        "outbox",
    } <= {path.name for path in map(Path, modes)}
    folders = {"instance", "instance/outbox"}
    assert modes == {path: 0o700 if path in folders else 0o600 for path in modes}
    (start,) = (line for line in log.splitlines() if '"starting"' in line)
    assert f'"database": "sqlite:///{instance}/ragauth.db", "instance_dir": "{instance}"' in start


def _saved_units(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (units,) = connection.execute("SELECT coalesce(sum(units), 0) FROM usage").fetchone()
    return int(units)
