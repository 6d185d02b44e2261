"""A worker that is killed, or that stands still, is replaced; log and metrics tell of it."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.raw_connections import authorize, connection, read_answer
from tests.e2e.service import QUICK, Service, install
from tests.waiting import wait_until

# Of gunicorn's `timeout`: a busy machine must not make a living worker look dead.
_TIMEOUT = 5
_DEATHS = re.compile(r'^ragauth_worker_deaths_total\{cause="(\w+)"\} (\d+)', re.MULTILINE)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    installation = install(tmp_path, **QUICK)
    installation.migrate()
    with installation.serve(workers=2, GUNICORN_CMD_ARGS=f"--timeout {_TIMEOUT}") as running:
        yield running


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _deaths(service: Service) -> dict[str, int]:
    page = service.client.get("/metrics").text
    return {cause: int(count) for cause, count in _DEATHS.findall(page)}


def _said(service: Service, words: str) -> list[int]:
    """Of which workers the log says so."""
    lines = map(json.loads, service.gunicorn.log().splitlines())
    return [line["worker"] for line in lines if line["message"] == words]


def test_one_that_stands_still_and_one_that_is_killed_are_replaced(service: Service) -> None:
    key = service.sign_up().api_key
    with connection(service) as client:
        client.sendall(authorize(key, more="X-Request-Id: whose\r\n"))
        assert read_answer(client).status == 200
        (stuck,) = (
            line["pid"] for line in service.request_lines() if line["request_id"] == "whose"
        )
        with _stopped(stuck):
            client.sendall(authorize(key))
            # A stopped worker takes no connection: whoever comes is the other's.
            assert {service.authorize(key) for _ in range(20)} == {200}
            # Who is on one of its connections waits until it is killed, and no longer.
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
    wait_until(lambda: _said(service, "a worker hung and was killed") == [stuck])
    wait_until(lambda: len(service.gunicorn.worker_pids()) == 2)
    killed = service.gunicorn.worker_pids()[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: _said(service, "a worker was killed") == [killed])
    wait_until(lambda: len(set(service.gunicorn.worker_pids()) - {killed}) == 2)
    assert service.authorize(key) == 200
    assert _deaths(service) == {"hung": 1, "killed": 1}
    # Nor does one count that ends because it is told to.
    ended = service.gunicorn.worker_pids()[0]
    os.kill(ended, signal.SIGTERM)
    wait_until(lambda: len(set(service.gunicorn.worker_pids()) - {ended}) == 2)
    assert _deaths(service) == {"hung": 1, "killed": 1}
