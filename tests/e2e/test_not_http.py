"""What gunicorn refuses by itself comes in the envelope too (S29, S30)."""

import json
import socket

import pytest

from tests.e2e.conftest import on_sqlite
from tests.e2e.service import Service

# No database is asked.
pytestmark = on_sqlite

_HOST = b"Host: ragauth.test\r\n"
_REFUSED = {
    "a request line without a version": (b"GET /healthz\r\n\r\n", 400),
    "a version that is not HTTP's": (b"GET / HTTQ/1.1\r\n" + _HOST + b"\r\n", 400),
    "a method in small letters": (b"g@t / HTTP/1.1\r\n" + _HOST + b"\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a header without a colon": (b"GET / HTTP/1.1\r\n" + _HOST + b"nonsense\r\n\r\n", 400),
    "a header name with a blank": (b"GET / HTTP/1.1\r\n" + _HOST + b"a b: c\r\n\r\n", 400),
    "a header value with a NUL": (b"GET / HTTP/1.1\r\n" + _HOST + b"A: b\0c\r\n\r\n", 400),
    "a length that is no number": (
        b"POST /api/auth/login HTTP/1.1\r\n" + _HOST + b"Content-Length: ten\r\n\r\n",
        400,
    ),
    "a length and a transfer coding": (
        b"POST /api/auth/login HTTP/1.1\r\n"
        + _HOST
        + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a transfer coding that nobody knows": (
        b"POST /api/auth/login HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: rot13\r\n\r\n",
        400,
    ),
    "a request line that is too long": (
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + _HOST + b"\r\n",
        414,
    ),
    "a header that is too large": (
        b"GET / HTTP/1.1\r\n" + _HOST + b"A: " + b"a" * 9_000 + b"\r\n\r\n",
        431,
    ),
    "too many headers": (b"GET / HTTP/1.1\r\n" + _HOST + b"A: b\r\n" * 200 + b"\r\n", 431),
}


@pytest.mark.parametrize(("sent", "status"), _REFUSED.values(), ids=_REFUSED)
def test_it_is_refused_in_json(service: Service, sent: bytes, status: int) -> None:
    head, body = _exchange(service, sent)
    assert head[0].split(" ")[1] == str(status)
    headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in head[1:]}
    assert headers["content-type"] == "application/json"
    assert headers["x-content-type-options"] == "nosniff"
    assert len(headers["x-request-id"]) == 32
    assert list(json.loads(body)) == ["error"]
    error = json.loads(body)["error"]
    assert set(error) == {"code", "message"}
    assert error["code"] == "VALIDATION_ERROR"
    logged = [
        line
        for line in map(json.loads, service.gunicorn.log().splitlines())
        if line.get("request_id") == headers["x-request-id"]
    ]
    assert [line["status"] for line in logged] == [status]


def test_a_body_that_ends_too_early_is_refused_in_json(service: Service) -> None:
    head, body = _exchange(
        service,
        b"POST /api/auth/login HTTP/1.1\r\n"
        + _HOST
        + b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"email":',
        half_close=True,
    )
    assert head[0].split(" ")[1] == "400"
    assert json.loads(body)["error"]["code"] == "VALIDATION_ERROR"


def _exchange(
    service: Service, sent: bytes, *, half_close: bool = False
) -> tuple[list[str], bytes]:
    """Send bytes; returns the lines of the answer's head, and its body."""
    host, port = service.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65_536):
            received += part
            head, separator, body = received.partition(b"\r\n\r\n")
            if separator and body.endswith(b"}"):
                break
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode("ascii").split("\r\n"), body
