"""S39: out of files no worker ends; what can be answered is, and the rest is refused."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.raw_connections import authorize, connection, errors_in_log, read_answer
from tests.e2e.service import Installation, Service

_FILES = 200
_CLIENTS = 500


@pytest.fixture(scope="module")
def installation(new_installation: NewInstallation) -> Installation:
    return new_installation("sqlite")


@pytest.fixture(scope="module")
def service(installation: Installation) -> Iterator[Service]:
    with installation.serve(open_files=_FILES) as running:
        yield running


def _idle(service: Service, clients: ExitStack) -> None:
    host, port = service.address.split(":")
    for _ in range(_CLIENTS):
        client = clients.enter_context(closing(socket.socket()))
        client.settimeout(5)
        client.connect((host, int(port)))


def _assert_serves(service: Service, key: str, *others: int) -> None:
    for _ in range(3):
        assert service.client.get("/healthz", timeout=8).status_code == 200
        assert service.authorize(key) in (200, *others)
        asked = service.client.get("/api/v1/me", headers={"X-API-Key": key}, timeout=8)
        assert asked.status_code in (200, *others)


def test_more_clients_than_files_leave_room_for_those_who_ask(service: Service) -> None:
    """S39: a connection that waits longest makes room for a new one."""
    key = service.sign_up(plan="scale").api_key
    workers = set(service.gunicorn.worker_pids())
    with ExitStack() as clients:
        _idle(service, clients)
        _assert_serves(service, key)
    assert set(service.gunicorn.worker_pids()) == workers
    assert errors_in_log(service) == []


def test_a_worker_lives_though_no_connection_can_be_taken(installation: Installation) -> None:
    """S39: also where files are fewer than the server was told at its start."""
    with installation.serve(workers=1) as service:
        key = service.sign_up(plan="scale").api_key
        assert service.authorize(key) == 200
        (worker,) = service.gunicorn.worker_pids()
        with ExitStack() as clients:
            kept = clients.enter_context(connection(service))
            kept.sendall(authorize(key))
            assert read_answer(kept).status == 200
            _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
            # Not one more than it has.
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (20, hard))
            _idle(service, clients)
            # A thread that has no connection to the database yet gets none now.
            _assert_serves(service, key, 503)
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
            _assert_serves(service, key)
        assert service.gunicorn.worker_pids() == [worker]
        log = service.gunicorn.log()
        assert log.count("a connection could not be taken") == 1
        assert "Traceback" not in log
