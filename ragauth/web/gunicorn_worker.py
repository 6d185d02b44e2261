"""gunicorn's threaded worker, whose own refusals come in the envelope too, not as HTML."""

import json
import logging
import socket
import uuid
from typing import Any

from gunicorn import util
from gunicorn.http import errors as http_errors
from gunicorn.workers.gthread import ThreadWorker

log = logging.getLogger("ragauth")

_CLIENT_FAULTS: dict[type[Exception], tuple[int, str]] = {
    http_errors.LimitRequestLine: (414, "URI Too Long"),
    http_errors.LimitRequestHeaders: (431, "Request Header Fields Too Large"),
    http_errors.ExpectationFailed: (417, "Expectation Failed"),
    http_errors.UnsupportedTransferCoding: (501, "Not Implemented"),
    http_errors.ParseException: (400, "Bad Request"),
}


class Worker(ThreadWorker):
    """Answers in JSON to what it cannot read as HTTP, before any application is asked."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        request_id = uuid.uuid4().hex
        status, reason = next(
            (answer for kind, answer in _CLIENT_FAULTS.items() if isinstance(exc, kind)),
            (500, "Internal Server Error"),
        )
        extra = {"request_id": request_id, "status": status, "ip": addr[0] if addr else None}
        if status == 500:
            log.error("unhandled exception in the server", extra=extra, exc_info=exc)
        else:
            log.warning("not HTTP", extra={**extra, "cause": type(exc).__name__})
        try:
            util.write_nonblock(client, _answer(status, reason, request_id))
        except OSError as error:
            log.info("the client was gone", extra={**extra, "cause": type(error).__name__})


def _answer(status: int, reason: str, request_id: str) -> bytes:
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
