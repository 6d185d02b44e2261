"""S39: what is killed for want of memory is replaced, and loses nothing that was acknowledged."""

import os
import resource
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.raw_connections import connection
from tests.e2e.service import Installation
from tests.servers.processes import free_port

_PATIENCE_SECONDS = 20
_KEYS = 4_000
_BODIES = 400
_HALF_A_BODY = (
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 65000\r\n\r\n" + b" " * 64_000
)


@pytest.fixture(scope="module")
def installation(new_installation: NewInstallation) -> Installation:
    installation = new_installation("sqlite")
    installation.migrate()
    return installation


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    """Whether it has ended; who has a dead parent may be left a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_the_workers_of_a_master_that_is_killed_end_and_another_takes_their_place(
    installation: Installation,
) -> None:
    """S39: no orphan keeps the port; what was acknowledged is there."""
    port = str(free_port())
    with installation.serve(PORT=port) as service:
        user = service.sign_up(plan="scale")
        kept_id, kept = user.create_key()
        revoked_id, revoked = user.create_key()
        assert user.request("DELETE", f"/api/auth/api-keys/{revoked_id}").is_success
        for _ in range(10):
            assert service.authorize(kept) == 200
        workers = service.gunicorn.worker_pids()
        os.kill(service.gunicorn.pid, signal.SIGKILL)
        until(lambda: all(map(is_gone, workers)))
    with installation.serve(PORT=port) as service:
        assert service.authorize(kept) == 200
        assert service.authorize(revoked) == 401
        days = service.client.get(
            "/api/auth/usage", headers={"Authorization": f"Bearer {user.token}"}
        ).json()["data"]
        assert {day["key_id"]: day["requests"] for day in days}[kept_id] == 11


def test_a_worker_that_gets_no_more_memory_refuses_and_lives(installation: Installation) -> None:
    """S39: what wants more than there is ends, in the envelope; then all is as before."""
    with installation.serve(workers=1) as service:
        key = service.sign_up(plan="scale").api_key
        assert service.authorize(key) == 200
        (worker,) = service.gunicorn.worker_pids()
        size = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(worker, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
        refused = 0
        with ExitStack() as clients:
            # Together they want more than lies free in the worker by chance.
            for _ in range(_BODIES):
                client = clients.enter_context(connection(service))
                client.sendall(_HALF_A_BODY)
                client.settimeout(0.01)
                with suppress(TimeoutError):
                    answer = client.recv(4096)
                    assert answer.startswith(b"HTTP/1.1 50")
                    assert b'"code"' in answer
                    refused += 1
        assert refused
        resource.prlimit(worker, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        assert service.authorize(key) == 200
        assert service.gunicorn.worker_pids() == [worker]


def test_an_import_that_is_killed_is_repeated(installation: Installation, tmp_path: Path) -> None:
    """S39: each batch is there or not, and the same file again adds what is missing."""
    plans = tmp_path / "policy.toml"
    plans.write_text(
        "[plans.trial]\nlimits.requests.minute = 60\nlimits.requests.month = 1000\n"
        f"max_keys = {2 * _KEYS}\nmax_agents = 2\n"
    )
    installation = Installation({**installation.environment, "RAGAUTH_POLICY_FILE": str(plans)})
    with installation.serve(workers=1) as service:
        user = service.sign_up()
        file = tmp_path / "keys.csv"
        file.write_text(
            "digest,owner,name\n"
            + "".join(f"{number:064x},{user.email},imported\n" for number in range(1, _KEYS + 1))
        )
        database = Path(installation.environment["RAGAUTH_INSTANCE_DIR"]) / "ragauth.db"
        with closing(sqlite3.connect(database)) as reader:

            def imported() -> int:
                (number,) = reader.execute(
                    "SELECT count(*) FROM api_keys WHERE name = 'imported'"
                ).fetchone()
                return int(number)

            process = installation.start("keys", "import", str(file))
            until(lambda: imported() > 0)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
            assert process.returncode == -signal.SIGKILL
            assert 0 < imported() < _KEYS
            # The service was held up by nothing that it left.
            assert user.create_key()[0]
            installation.command("keys", "import", str(file))
            assert imported() == _KEYS
            assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
