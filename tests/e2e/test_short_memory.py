"""S39: what is killed for want of memory is replaced, and loses nothing that was acknowledged."""

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.raw_connections import connection
from tests.e2e.service import Installation
from tests.servers.processes import free_port

_PATIENCE_SECONDS = 20
_BODIES, _REFUSED = 400, 20
_HALF_A_BODY = (
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 65000\r\n\r\n" + b" " * 64_000
)


@pytest.fixture(scope="module")
def installation(new_installation: NewInstallation) -> Installation:
    return new_installation("sqlite")


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
                    if refused == _REFUSED:
                        break
        assert refused
        resource.prlimit(worker, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        assert service.authorize(key) == 200
        assert service.gunicorn.worker_pids() == [worker]
