"""S38: a client that has closed its side, and waits, costs nothing."""

import socket
from contextlib import ExitStack

import pytest

from tests.e2e.conftest import on_sqlite
from tests.e2e.raw_connections import authorize, connection, cpu_seconds, read_answer
from tests.e2e.service import Service, User

_CLIENTS = 20
# They are dropped as soon as they are seen: a poller that spins for them uses much more.
_CPU_SECONDS = 0.3
_SECONDS = 8


def _used(service: Service) -> float:
    return sum(cpu_seconds(pid) for pid in service.gunicorn.worker_pids())


@on_sqlite
@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET /api", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9"],
    ids=["nothing", "a part of a line", "a part of a head"],
)
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
def test_it_is_let_go_at_once(
    service: Service, user: User, beginning: bytes, is_kept: bool
) -> None:
    """S38: what will never be a request is not awaited, and nothing spins meanwhile."""
    with ExitStack() as clients:
        held = [clients.enter_context(connection(service)) for _ in range(_CLIENTS)]
        if is_kept:
            for client in held:
                client.sendall(authorize(user.api_key))
                assert read_answer(client).status == 200
        before = _used(service)
        for client in held:
            client.sendall(beginning)
            client.shutdown(socket.SHUT_WR)
        for client in held:
            client.settimeout(_SECONDS)
            assert client.recv(1) == b""
        assert _used(service) - before < _CPU_SECONDS


def test_its_last_request_is_answered(service: Service, user: User) -> None:
    asked = f"GET /api/v1/me HTTP/1.1\r\nHost: a\r\nX-API-Key: {user.api_key}\r\n\r\n".encode()
    for question in (authorize(user.api_key), asked, authorize(user.api_key) + asked):
        with connection(service) as client:
            client.settimeout(_SECONDS)
            client.sendall(question)
            client.shutdown(socket.SHUT_WR)
            for _ in range(question.count(b"GET ")):
                assert read_answer(client).status == 200
            assert client.recv(1) == b""


@on_sqlite
def test_half_a_body_is_a_fault_though_it_reads_like_a_whole(service: Service) -> None:
    """RFC 9112 section 8."""
    with connection(service) as client:
        client.sendall(
            b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: 90\r\n\r\n"
            b'{"email": "someone@example.com", "password": "a password"}'
        )
        client.shutdown(socket.SHUT_WR)
        answer = read_answer(client)
        assert (answer.status, answer.headers["connection"]) == (400, "close")
