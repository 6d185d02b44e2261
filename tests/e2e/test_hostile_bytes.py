"""S29, S38: whatever bytes come, the fault is the client's, and no operator wakes."""

import random
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import NewInstallation
from tests.e2e.raw_connections import connection, errors_in_log
from tests.e2e.service import Service

_SEED = 20_260_101
_ROUNDS = 1000
_HOST = b"Host: ragauth.test\r\n"
_JSON = b"Content-Type: application/json\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
# Every face, with and without a credential, and routes that read no body.
_PATHS = (
    *("/api/v1/keys/revoke", "/api/v1/keys/verify", "/api/v1/authorize", "/api/v1/authorize/x"),
    *("/api/v1/me", "/api/auth/login", "/api/auth/signup", "/api/auth/token/refresh", "/healthz"),
    *(
        "/compat/ragchats/api/auth/login",
        "/compat/rst/v1/auth/login",
        "/compat/rst/x",
        "/docs",
        "/%00%ff",
    ),
    *("*", "/x" * 500, "http://[/api/v1/me", "http://a:b@c:99999/healthz", "//a/healthz"),
)
_METHODS = ("GET", "POST", "POST", "POST", "HEAD", "OPTIONS", "DELETE", "CONNECT", "TRACE", "XYZ")
_LINES = (
    *(b"Content-Length: 5\r\n", b"Content-Length: 5, 5\r\n", b"Content-Length: \xb2\r\n"),
    *(b"Content-Length: 99999999999999999999\r\n", b"Content-Length: " + b"9" * 5000 + b"\r\n"),
    *(b"Content-Length: -1\r\n", b"Content-Length:\r\n", b"Content-Length: 65537\r\n"),
    *(b"Transfer-Encoding: rot13\r\n", b"Transfer-Encoding: gzip, chunked\r\n", _CHUNKED),
    *(
        b"Expect: 100-continue\r\n",
        b"Expect: tea\r\n",
        b"Connection: close\r\n",
        b"TE: trailers\r\n",
    ),
    *(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",),
    *(b"X-Request-Id: \xff\xfe\r\n", b"Authorization: Bearer \xe9\r\n", b"Authorization: , ,\r\n"),
    *(b"X-API-Key: rag_live_x\r\n", b"Cookie: " + b"a=b;" * 900 + b"\r\n", b"Origin: null\r\n"),
    *(b"X-Forwarded-For: [::1\r\n", b'Forwarded: for="\r\n', b"Host: \x00\r\n", b"A_B: c\r\n"),
    *(b"Range: bytes=0-\r\n", b'If-None-Match: "\r\n', b"Accept-Encoding: \xff\r\n", b" fold\r\n"),
    *(b'Content-Type: application/json; charset="\xff\r\n', b"Content-Encoding: gzip\r\n"),
)
_BODIES = (
    *(b"", b"zz\r\n", b"-1\r\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}", b"2\r\n{}X\r\n0\r\n\r\n"),
    *(b"2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n0\r\nHost: a\r\n\r\n", b"2\r\n{}\r\n0\r\n: b\r\n\r\n"),
    *(b"2\r\n{}\r\n0\r\nA b\r\n\r\n", b"2;\r\n{}\r\n0\r\n\r\n", b"2;a=\"\r\n{}\r\n0\r\n\r\n"),
    *(b"fffffffffffffffff\r\n{}", b"2\n{}\n0\n\n", b"{}", b"[[[[", b"\xff\xfe", b"{\"a\": NaN}"),
    *(b"2\r\n{}\r\n0\r\nA: \x00\r\n\r\n", b"1\r\n{\r\n" * 200, b"10000\r\n" + b" " * 9000),
    *(b'{"key": "\\ud800"}', b'{"key": "rag_live_x"}', b'{"email": "a@b.example"}'),
)  # fmt: skip


@pytest.fixture(scope="module")
def service(new_installation: NewInstallation) -> Iterator[Service]:
    installation = new_installation("sqlite")
    with installation.serve(workers=1, RAGAUTH_COMPAT="ragchats,rst") as running:
        yield running


def _request(chance: random.Random) -> bytes:
    """A request with some faults of framing, and sometimes a few bytes turned over."""
    path = chance.choice(_PATHS).encode()
    lines = [_HOST, _JSON, _CHUNKED, *chance.sample(_LINES, chance.randint(0, 2))]
    if chance.random() < 0.4:
        lines.remove(_CHUNKED)
    chance.shuffle(lines)
    version = chance.choice([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/2.0"])
    first = chance.choice(_METHODS).encode() + b" " + path + b" " + version + b"\r\n"
    made = bytearray(first + b"".join(lines) + b"\r\n" + chance.choice(_BODIES))
    if chance.random() < 0.3:
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(made))
            made[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
    return bytes(made)


def _statuses(service: Service, sent: bytes, cut: int) -> list[int]:
    """Those of all answers to what is sent in two pieces, with no more to follow."""
    with connection(service) as client:
        received = b""
        try:
            client.sendall(sent[:cut])
            client.sendall(sent[cut:])
            client.shutdown(1)
            while part := client.recv(65_536):
                received += part
        except ConnectionError:
            # It was refused, and let go before it had said everything.
            pass
    return [int(status) for status in _STATUS.findall(received)]


def test_no_answer_is_an_error_of_the_server(service: Service) -> None:
    """S29: malformed heads, lengths, chunks and trailers, on every face; seeded."""
    chance = random.Random(_SEED)
    seen: Counter[int] = Counter()
    for _ in range(_ROUNDS):
        sent = _request(chance)
        for status in _statuses(service, sent, chance.randrange(len(sent))):
            assert status < 500, sent
            seen[status] += 1
    assert {200, 400, 401, 404, 413} <= set(seen)
    assert errors_in_log(service) == []


_FACES = {
    "/api/v1/keys/revoke": (400, "error"),
    "/compat/ragchats/api/auth/login": (400, "message"),
    "/compat/rst/v1/auth/login": (422, "detail"),
}


@pytest.mark.parametrize(
    "body", [b"zz\r\n", b"-1\r\n", b"0x2\r\n{}\r\n", b"2\r\n{}X", b"2\r\n{}\r\n0\r\n: b\r\n\r\n"]
)
@pytest.mark.parametrize("path", _FACES)
def test_a_malformed_chunk_is_refused_in_the_words_of_the_face(
    service: Service, path: str, body: bytes
) -> None:
    """S29: and what follows it is no request."""
    status, word = _FACES[path]
    head = f"POST {path} HTTP/1.1\r\n".encode() + _HOST + _JSON + _CHUNKED + b"\r\n"
    with connection(service) as client:
        client.sendall(head + body + b"GET /healthz HTTP/1.1\r\n" + _HOST + b"\r\n")
        received = b""
        while part := client.recv(65_536):
            received += part
    assert [int(one) for one in _STATUS.findall(received)] == [status]
    assert b"Connection: close" in received
    assert f'"{word}"'.encode() in received


def test_under_gunicorns_own_worker_too(new_installation: NewInstallation) -> None:
    """S29: the application knows what it means that a body cannot be read."""
    installation = new_installation("sqlite")
    with installation.serve(workers=1, GUNICORN_CMD_ARGS="--worker-class gthread") as plain:
        for body in (b"zz\r\n", b"-1\r\n", b"2\r\n{}X", b"2\r\n{}\r\n0\r\n: b\r\n\r\n", b"9\r\n{}"):
            head = b"POST /api/v1/keys/revoke HTTP/1.1\r\n" + _HOST + _JSON + _CHUNKED + b"\r\n"
            assert _statuses(plain, head + body, 0) == [400], body
        assert errors_in_log(plain) == []
