"""S35: a service that is told to stop finishes what it has begun."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.raw_connections import connection, cpu_seconds, read_answer
from tests.e2e.service import install
from tests.servers.gunicorn import start_gunicorn
from tests.waiting import wait_until

_WORK_SECONDS = 0.05
_START_SECONDS = 20


@pytest.mark.parametrize("server", ["ragauth", "gunicorn"])
def test_a_login_that_has_begun_is_answered_and_the_master_ends_well(
    tmp_path: Path, server: str
) -> None:
    """S35: with ragauth's own worker, and with gunicorn's."""
    installation = install(tmp_path, RAGAUTH_BCRYPT_COST="13", RAGAUTH_SERVER=server)
    installation.migrate()
    with installation.serve(workers=1) as service, ThreadPoolExecutor(1) as thread:
        (worker,) = service.gunicorn.worker_pids()
        before = cpu_seconds(worker)
        # Nobody's address: it is hashed all the same, at the cost that is set.
        login = {"email": "nobody@example.com", "password": "a password of nobody"}
        pending = thread.submit(service.client.post, "/api/auth/login", json=login)
        _wait_until_it_hashes(worker, before)
        assert not pending.done()
        os.kill(service.gunicorn.pid, signal.SIGTERM)
        answer = pending.result(timeout=30)
        assert answer.status_code == 401
        assert answer.json()["error"]["message"] == "Invalid email or password"
        assert service.gunicorn.terminate() == 0
        assert _died(worker)


# The signal is there before the first worker has handlers of its own.
_TOLD_AT_ONCE = """
import os, signal

from ragauth import gunicorn_conf
from ragauth.gunicorn_conf import *

def post_fork(server, worker):
    gunicorn_conf.post_fork(server, worker)
    if worker.age == 1:
        os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize("server", ["ragauth", "gunicorn"])
def test_a_worker_that_is_told_to_end_while_it_starts_ends(tmp_path: Path, server: str) -> None:
    """S35: the master would wait for it until the graceful timeout is over."""
    installation = install(tmp_path, RAGAUTH_SERVER=server)
    installation.migrate()
    config = tmp_path / "told_at_once.py"
    config.write_text(_TOLD_AT_ONCE)
    with start_gunicorn(installation.environment, workers=1, config=str(config)) as gunicorn:
        wait_until(lambda: "Worker exiting" in gunicorn.log())
        gunicorn.wait_until_ready(1)
        assert gunicorn.terminate() == 0


def test_a_request_that_has_begun_to_come_is_answered_and_a_silent_client_holds_nothing_up(
    tmp_path: Path,
) -> None:
    """S35, S38: there is a little time for the rest of it, and an end to that time."""
    installation = install(tmp_path)
    installation.migrate()
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
    with installation.serve(workers=1) as service, ExitStack() as clients:
        (worker,) = service.gunicorn.worker_pids()
        slow = clients.enter_context(connection(service))
        slow.sendall(head + b"{")
        silent = [clients.enter_context(connection(service)) for _ in range(5)]
        for client, sent in zip(silent, (b"", b"GET", head, head + b"{", b"GET /"), strict=True):
            client.sendall(sent)
        # It comes after all of them: they have been read when it is answered.
        assert service.client.get("/healthz").status_code == 200
        # The master would tell the worker: here the signal is there before the rest.
        os.kill(worker, signal.SIGTERM)
        os.kill(service.gunicorn.pid, signal.SIGTERM)
        slow.sendall(b"}")
        answer = read_answer(slow)
        assert (answer.status, answer.headers["connection"]) == (415, "close")
        for client in silent:
            while client.recv(4096):
                pass
        assert service.gunicorn.terminate() == 0
        assert _died(worker)


def _wait_until_it_hashes(worker: int, before: float) -> None:
    """A worker without requests uses no time; one that hashes, all it can get."""
    deadline = time.monotonic() + _START_SECONDS
    while cpu_seconds(worker) - before < _WORK_SECONDS:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _died(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()
