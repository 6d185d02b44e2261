"""Answers that the server gives by itself, and the one it makes of an application's."""

import json
import logging
import socket
import uuid
from typing import Any

from gunicorn import SERVER, util
from gunicorn.glogging import Logger
from gunicorn.http import errors as http_errors

from ragauth import clock
from ragauth.metrics import note_unreadable
from ragauth.security.addresses import canonical_address

log = logging.getLogger("ragauth")

_CLIENT_FAULTS: dict[type[Exception], tuple[int, str]] = {
    http_errors.LimitRequestLine: (414, "URI Too Long"),
    http_errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    http_errors.ExpectationFailed: (417, "Expectation Failed"),
    http_errors.UnsupportedTransferCoding: (501, "Not Implemented"),
    http_errors.ParseException: (400, "Bad Request"),
}


def answer_fault(client: socket.socket, addr: Any, exc: BaseException) -> None:
    """In JSON, with a line in the log; `addr` is the client's."""
    request_id = uuid.uuid4().hex
    status, reason = next(
        (answer for kind, answer in _CLIENT_FAULTS.items() if isinstance(exc, kind)),
        (500, "Internal Server Error"),
    )
    # That of a Unix socket is a text, and no address.
    ip = canonical_address(addr[0]) if isinstance(addr, tuple) else None
    extra = {"request_id": request_id, "status": status, "ip": ip}
    if status == 500:
        log.error("unhandled exception in the server", extra=extra, exc_info=exc)
    else:
        log.warning("not HTTP", extra={**extra, "cause": type(exc).__name__})
    note_unreadable(status)
    try:
        util.write_nonblock(client, _error_answer(status, reason, request_id))
    except OSError as error:
        log.info("the client was gone", extra={**extra, "cause": type(error).__name__})


class ErrorLogger(Logger):
    """gunicorn's logger without its access log, for which it would gather a hundred words of each
    request: the application writes a line of its own.
    """

    def access(self, *_args: object) -> None:
        """Write nothing."""


def run_application(application: Any, environ: dict[str, Any], *, is_kept: bool) -> bytes:
    """The whole answer of a WSGI application that gives its length; its headers are its own."""
    status, headers = "", []

    def start_response(a_status: str, a_headers: list[tuple[str, str]], _error: Any = None) -> None:
        nonlocal status, headers
        status, headers = a_status, a_headers

    result = application(environ, start_response)
    try:
        body = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    lines = [
        f"HTTP/1.1 {status}",
        f"Server: {SERVER}",
        f"Date: {clock.http_date()}",
        f"Connection: {'keep-alive' if is_kept else 'close'}",
        *(f"{name}: {value}" for name, value in headers),
        "\r\n",
    ]
    return "\r\n".join(lines).encode("latin-1") + body


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
