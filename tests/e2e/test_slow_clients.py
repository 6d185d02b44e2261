"""S38: a client that is slow, silent or gone holds up nobody, however far the database is."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.raw_connections import (
    authorize,
    connection,
    errors_in_log,
    read_answer,
)
from tests.e2e.service import QUICK, Service, User, install
from tests.servers.distance import far_away

_CLIENTS = 8
_HOST = b"Host: ragauth.test\r\n"
_JSON = b"Content-Type: application/json\r\n"
_LOGIN = b"POST /api/auth/login HTTP/1.1\r\n" + _HOST + _JSON
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_LARGE = b"X-Large: " + b"a" * 4000 + b"\r\n"
# Each is the beginning of a request; nothing follows.
_BEGINNINGS = {
    "nothing": b"",
    "half a line": b"GET /healthz HT",
    "12 KB of a head": b"GET /healthz HTTP/1.1\r\n" + _HOST + _LARGE * 3,
    "one byte of a body": _LOGIN + b"Content-Length: 100\r\n\r\n{",
    "one byte of a body for a check": (
        b"POST /api/v1/keys/verify HTTP/1.1\r\n" + _HOST + _JSON + b"Content-Length: 100\r\n\r\n{"
    ),
    "half a chunk": _LOGIN + _CHUNKED + b"40\r\n{",
    "half a trailer": _LOGIN + _CHUNKED + b"2\r\n{}\r\n0\r\nA: b",
    "no body after the invitation": _LOGIN + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
}


@contextmanager
def _far_installation(new_installation: NewInstallation) -> Iterator[Service]:
    near = new_installation("postgres")
    url = urlsplit(near.environment["RAGAUTH_DATABASE_URL"])
    assert url.port
    with far_away(url.port) as port:
        place = url.netloc.rpartition(":")[0]
        far = install(
            # The same counters and the same database, along another road.
            Path(near.environment["RAGAUTH_INSTANCE_DIR"]).parent,
            url._replace(netloc=f"{place}:{port}").geturl(),
            WEB_THREADS="2",
            **QUICK,
        )
        with far.serve(workers=1) as running:
            yield running


@pytest.fixture(scope="module", params=["sqlite", "far postgres"])
def service(request: pytest.FixtureRequest, new_installation: NewInstallation) -> Iterator[Service]:
    """One worker with two threads: half a dozen slow clients would be more than enough."""
    if request.param == "sqlite":
        installation = new_installation("sqlite")
        with installation.serve(workers=1, WEB_THREADS="2") as running:
            yield running
    else:
        with _far_installation(new_installation) as running:
            yield running


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    someone = service.sign_up(plan="scale")
    # The worker judges how far the database is when checks have waited for a second together.
    is_far = "RAGAUTH_DATABASE_URL" in service.installation.environment
    for _ in range(150 if is_far else 1):
        assert service.authorize(someone.api_key) == 200
    return someone


@pytest.fixture(scope="module")
def asker(service: Service) -> str:
    made = service.installation.command(
        "service-keys", "create", "--name", "gateway", "--scope", "verify", "--json"
    )
    key: str = json.loads(made)["api_key"]
    return key


def _assert_all_is_answered(service: Service, user: User, asker: str) -> None:
    client = service.client
    key = {"X-API-Key": user.api_key}
    for path in ("/healthz", "/api/v1/me", "/api/v1/authorize", "/api/v1/%61uthorize"):
        assert client.get(path, headers=key, timeout=8).status_code == 200, path
    verdict = client.post(
        "/api/v1/keys/verify", json={"key": user.api_key}, headers={"X-API-Key": asker}, timeout=8
    )
    assert verdict.json()["data"]["valid"] is True
    answer = client.get(
        "/api/auth/me", headers={"Authorization": f"Bearer {user.token}"}, timeout=8
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("beginning", _BEGINNINGS.values(), ids=_BEGINNINGS)
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
def test_who_sends_a_part_of_a_request_takes_no_thread(
    service: Service, user: User, asker: str, beginning: bytes, is_kept: bool
) -> None:
    """S38: heads and bodies are awaited by the poller, on connections of any age."""
    with ExitStack() as clients:
        for _ in range(_CLIENTS):
            slow = clients.enter_context(connection(service))
            if is_kept:
                slow.sendall(authorize(user.api_key))
                assert read_answer(slow).status == 200
            slow.sendall(beginning)
        _assert_all_is_answered(service, user, asker)


def test_who_reads_no_answers_takes_no_thread(service: Service, user: User, asker: str) -> None:
    """S38: what a client does not take at once is kept for it by the poller."""
    question = b"GET /api/openapi.json HTTP/1.1\r\n" + _HOST + b"\r\n"
    with ExitStack() as clients:
        for _ in range(_CLIENTS):
            slow = clients.enter_context(_with_small_buffer(service))
            slow.sendall(question * 8)
        _assert_all_is_answered(service, user, asker)


@contextmanager
def _with_small_buffer(service: Service) -> Iterator[socket.socket]:
    host, port = service.address.split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        yield client


def test_a_large_answer_is_whole_for_a_slow_reader(service: Service) -> None:
    with _with_small_buffer(service) as slow, connection(service) as quick:
        question = b"GET /api/openapi.json HTTP/1.1\r\n" + _HOST + b"\r\n"
        quick.sendall(question)
        expected = read_answer(quick).body
        slow.settimeout(20)
        slow.sendall(question * 3)
        for _ in range(3):
            assert read_answer(slow).body == expected


def test_a_slow_body_is_answered_when_it_is_there(service: Service, user: User) -> None:
    head = _LOGIN + b"Content-Length: 2\r\n\r\n"
    with connection(service) as client:
        for piece in (head[:30], head[30:], b"{", b"}"):
            client.sendall(piece)
        assert read_answer(client).status == 400
        client.sendall(authorize(user.api_key))
        assert read_answer(client).status == 200


def test_a_client_is_invited_to_send_its_body_and_only_once(service: Service) -> None:
    with connection(service) as client:
        client.sendall(_LOGIN + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        invitation = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.recv(len(invitation)) == invitation
        client.sendall(b"{}")
        assert read_answer(client).status == 400


_TEN_GB = b"Content-Length: 10000000000\r\n\r\n"


@pytest.mark.parametrize("framing", [_TEN_GB, _CHUNKED + b"9\r\nunfini"], ids=["length", "chunks"])
@pytest.mark.parametrize("path", ["/api/v1/authorize", "/api/v1/authorize/x?scope=query"])
def test_authorize_does_not_wait_for_the_body(
    service: Service, user: User, framing: bytes, path: str
) -> None:
    """S38: it never reads it, of whatever size; what comes of it is no next request."""
    head = f"POST {path} HTTP/1.1\r\nX-API-Key: {user.api_key}\r\n".encode() + _HOST
    with connection(service) as client:
        client.sendall(head + framing + authorize(user.api_key))
        answer = read_answer(client)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert client.recv(1) == b""


@pytest.mark.parametrize("framing", [_TEN_GB, _CHUNKED + b"fffffff\r\n"], ids=["length", "chunks"])
def test_too_large_a_body_is_refused_before_it_comes(service: Service, framing: bytes) -> None:
    """S29, S38: and the client that still sends it can read the answer."""
    with connection(service) as client:
        client.sendall(_LOGIN + b"Expect: 100-continue\r\n" + framing + b"x" * 500_000)
        answer = read_answer(client)
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert json.loads(answer.body)["error"]["code"] == "VALIDATION_ERROR"


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def _half_close(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("leave", [_reset, _half_close, socket.socket.close])
def test_a_client_that_is_gone_is_no_error(
    service: Service, user: User, leave: Callable[[socket.socket], None]
) -> None:
    """S38: before, in the midst of and after its request."""
    requests = [
        *_BEGINNINGS.values(),
        authorize(user.api_key),
        b"GET /api/v1/me HTTP/1.1\r\nX-API-Key: "
        + user.api_key.encode()
        + b"\r\n"
        + _HOST
        + b"\r\n",
        _LOGIN + b'Content-Length: 40\r\n\r\n{"email":"a@b.example","password":"abcd"}',
        b"GET /api/openapi.json HTTP/1.1\r\n" + _HOST + b"\r\n",
    ]
    for request in requests:
        with connection(service) as client:
            client.sendall(request)
            leave(client)
    assert service.authorize(user.api_key) == 200
    assert errors_in_log(service) == []
