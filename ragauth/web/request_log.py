"""What happens around every request: its id, the HTTPS rule, headers, one line in the log."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from ragauth.config import MAX_BODY_BYTES
from ragauth.errors import BodyTooLarge, HttpsRequired
from ragauth.extensions import settings

log = logging.getLogger("ragauth.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PLAIN_HTTP_IS_FINE = frozenset({"/healthz", "/readyz", "/metrics"})


def register_request_log(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_finish)


def request_id_of(presented: str | None) -> str:
    """The caller's request id, if it is one, else a new one."""
    if presented is not None and _REQUEST_ID.fullmatch(presented):
        return presented
    return uuid.uuid4().hex


def _begin() -> None:
    g.started_at = time.perf_counter()
    g.request_id = request_id_of(request.headers.get("X-Request-Id"))
    if (
        settings().require_https
        and not request.is_secure
        and request.path.rstrip("/") not in _PLAIN_HTTP_IS_FINE
    ):
        raise HttpsRequired
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise BodyTooLarge


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    fields = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.started_at) * 1000, 2),
        "ip": request.remote_addr,
    }
    if "account_id" in g:
        fields["account_id"] = g.account_id
    if "error_code" in g:
        fields["error_code"] = g.error_code
    log.info("request", extra=fields)
    return response
