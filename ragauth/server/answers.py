"""Answers that the server gives by itself, and the bytes of an application's answer."""

import json
import logging
import socket
import sys
import uuid
from typing import Any

from gunicorn import SERVER, util
from gunicorn.glogging import Logger
from gunicorn.http import errors as http_errors

from ragauth import clock
from ragauth.metrics import note_unreadable
from ragauth.security.addresses import canonical_address
from ragauth.web.check.login_shedding import MUST_NOT_WAIT

log = logging.getLogger("ragauth")

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestTimeout(http_errors.ParseException):
    """The rest of a request did not come in time."""


_CLIENT_FAULTS: dict[type[Exception], tuple[int, str]] = {
    RequestTimeout: (408, "Request Timeout"),
    http_errors.LimitRequestLine: (414, "URI Too Long"),
    http_errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    http_errors.ExpectationFailed: (417, "Expectation Failed"),
    http_errors.ParseException: (400, "Bad Request"),
}


def fault_answer(client: Any, fault: BaseException) -> bytes:
    """The JSON answer to a faulty request; it also writes a line to the log."""
    request_id = uuid.uuid4().hex
    status, reason = next(
        (answer for kind, answer in _CLIENT_FAULTS.items() if isinstance(fault, kind)),
        (500, "Internal Server Error"),
    )
    # A client of a Unix socket has a string here, which is not an IP address.
    ip = canonical_address(client[0]) if isinstance(client, tuple) else None
    extra = {"request_id": request_id, "status": status, "ip": ip}
    if status == 500:
        log.error("unhandled exception in the server", extra=extra, exc_info=fault)
    else:
        log.warning("not HTTP", extra={**extra, "cause": type(fault).__name__})
    note_unreadable(status)
    return _error_answer(status, reason, request_id)


def answer_fault(client: socket.socket, addr: Any, exc: BaseException) -> None:
    """Send that answer on a socket that gunicorn reads; `addr` is the client's."""
    answer = fault_answer(addr, exc)
    try:
        util.write_nonblock(client, answer)
    except OSError as error:
        log.info("the client had gone before its answer", extra={"cause": type(error).__name__})


class ErrorLogger(Logger):
    """gunicorn's logger without its access log, because the application logs each request itself.

    gunicorn would gather about a hundred values of each request for it.
    """

    def access(self, *_args: object) -> None:
        """Write nothing."""


def run_application(
    application: Any, environ: dict[str, Any]
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Run a WSGI application; returns status, headers and body of its answer.

    Raises RuntimeError instead of OSError, because the worker takes an OSError for a fault of the
    connection.
    """
    status, headers = "", []

    def start_response(a_status: str, a_headers: list[tuple[str, str]], _error: Any = None) -> None:
        nonlocal status, headers
        status, headers = a_status, a_headers

    try:
        result = application(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
    except OSError as error:
        raise RuntimeError("the application failed") from error
    return status, headers, body


def answer_bytes(
    status: str, headers: list[tuple[str, str]], body: bytes, *, is_kept: bool
) -> bytes:
    """The bytes of an answer, which must state its length."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    return (
        f"HTTP/1.1 {status}\r\nServer: {SERVER}\r\nDate: {clock.http_date()}\r\n"
        f"Connection: {'keep-alive' if is_kept else 'close'}\r\n{lines}\r\n"
    ).encode("latin-1") + body


def server_environ(client: Any, server: Any) -> dict[str, Any]:
    """The server's part of a plain request's environ (PEP 3333), with the mark MUST_NOT_WAIT."""
    (host, port, *_), (client_host, client_port, *_) = server, client
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": client_host,
        "REMOTE_PORT": str(client_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        MUST_NOT_WAIT: True,
    }


def _error_answer(status: int, reason: str, request_id: str) -> bytes:
    error: dict[str, Any] = {"code": "VALIDATION_ERROR", "message": reason}
    if status == 500:
        error = {
            "code": "INTERNAL_ERROR",
            "message": reason,
            "details": {"request_id": request_id},
        }
    body = json.dumps({"error": error}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"X-Request-Id: {request_id}\r\n\r\n"
    )
    return head.encode("ascii") + body
