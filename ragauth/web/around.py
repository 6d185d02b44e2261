"""What happens around every request: request id, HTTPS rule, headers, one line in the log."""

import json
import os
import random
import re
import time
from contextvars import ContextVar
from typing import Any

from flask import Flask, Request, Response, g
from flask.globals import request_ctx
from werkzeug.exceptions import NotFound

from ragauth import clock
from ragauth.errors import BodyTooLarge, HttpsRequired
from ragauth.extensions import settings
from ragauth.metrics import note_request, register_route
from ragauth.security.redaction import redact_credentials, redact_path
from ragauth.web.envelope import error_header
from ragauth.web.log_lines import is_for_people, person_line
from ragauth.web.log_writer import log_writer
from ragauth.web.paths import (
    AUTHORIZE,
    COMPAT,
    is_authorize,
    is_plain_spelling,
    max_body_bytes,
    may_be_plain_http,
)
from ragauth.web.rate_headers import rate_headers

FIXED_HEADERS = (("X-Content-Type-Options", "nosniff"),)
NEVER_STORED = ("Cache-Control", "no-store")

_LONGEST_REQUEST_ID = 128
_REQUEST_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{_LONGEST_REQUEST_ID}}}")

_quote = json.encoder.encode_basestring_ascii

# The id of the request that this thread works on; each line that the thread logs contains it.
current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def register_request_log(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)


def register_routes(app: Flask) -> None:
    """Allocate metrics for each route; called after all routes are registered."""
    for rule in app.url_map.iter_rules():
        register_route(_route_of(rule.rule), rule.methods or ())


def _route_of(rule: str) -> str:
    return AUTHORIZE if is_authorize(rule) else rule


def request_id_of(presented: str | None) -> str:
    """The caller's request id if it has the right form, else a new one."""
    if presented is not None and _REQUEST_ID.fullmatch(presented):
        return presented
    return f"{random.getrandbits(128):032x}"


def write_request_line(
    request_id: str,
    method: str,
    path: str,
    status: int,
    started_at: float,
    ip: str | None,
    account_id: str | None,
) -> None:
    """Log a request on standard error; `started_at` is a value of `time.perf_counter`.

    Not through `logging`, which would take as much time as a key check.
    """
    request_id = redact_credentials(request_id, longest=_LONGEST_REQUEST_ID)
    duration_ms = (time.perf_counter() - started_at) * 1000
    line = _line(request_id, method, redact_path(path), status, duration_ms, ip, account_id)
    log_writer.write(line.encode("ascii"))


def _json_line(
    request_id: str,
    method: str,
    path: str,
    status: int,
    duration_ms: float,
    ip: str | None,
    account_id: str | None,
) -> str:
    owner = "" if account_id is None else f', "account_id": "{account_id}"'
    address = "null" if ip is None else _quote(ip)
    return (
        f'{{"time": "{clock.timestamp()}", "level": "INFO", "logger": "ragauth.request",'
        f' "message": "request", "request_id": "{request_id}", "method": {_quote(method)},'
        f' "path": {_quote(path)}, "status": {status},'
        f' "duration_ms": {duration_ms:.2f},'
        f' "ip": {address}, "pid": {os.getpid()}{owner}}}\n'
    )


def _person_line(
    request_id: str,
    method: str,
    path: str,
    status: int,
    duration_ms: float,
    ip: str | None,
    account_id: str | None,
) -> str:
    told = {
        "time": clock.timestamp(),
        "level": "INFO",
        "logger": "ragauth",
        "message": f"{status} {method} {path} {duration_ms:.0f} ms",
        "ip": ip,
        "account_id": account_id,
        "request_id": request_id,
    }
    return f"{person_line(told)}\n"


_line = _person_line if is_for_people() else _json_line


def _begin() -> None:
    presented, noted = _present()
    noted.started_at = time.perf_counter()
    noted.request_id = request_id_of(presented.headers.get("X-Request-Id"))
    current_request_id.set(noted.request_id)
    if not is_plain_spelling(presented.environ):
        # Treat the request as if no route matched.
        presented.url_rule, presented.view_args = None, None
        presented.routing_exception = NotFound()
    if (
        settings().require_https
        and not presented.is_secure
        and not may_be_plain_http(presented.environ)
    ):
        raise HttpsRequired
    length = presented.content_length
    if length:
        # authorize reads no body, so the size of the original request does not matter.
        most_bytes = max_body_bytes(presented.path)
        if length > most_bytes and not is_authorize(presented.path):
            raise BodyTooLarge.than(most_bytes)


def _finish(response: Response) -> Response:
    answered, noted = _present()
    path, method, status, headers = (
        answered.path,
        answered.method,
        response.status_code,
        response.headers,
    )
    headers["X-Request-Id"] = noted.request_id
    for name, value in FIXED_HEADERS:
        headers.add(name, value)
    if path.startswith(("/api/", COMPAT)):
        headers.set(*NEVER_STORED)
    if status >= 400 and is_authorize(path):
        headers.set(*error_header(response.data))
    if noted.get("limits") is not None:
        headers.extend(rate_headers(noted.limits))
    if not response.content_length:
        headers.pop("Content-Type", None)
    write_request_line(
        noted.request_id,
        method,
        path,
        status,
        noted.started_at,
        answered.remote_addr,
        noted.get("account_id"),
    )
    rule = answered.url_rule
    note_request(
        None if rule is None else _route_of(rule.rule),
        method,
        status,
        time.perf_counter() - noted.started_at,
    )
    return response


def _present() -> tuple[Request, Any]:
    """The present request, and what is noted of it: Flask's proxies look both up at each use."""
    context = request_ctx._get_current_object()  # type: ignore[attr-defined]
    return context.request, g._get_current_object()


def _forget(_error: BaseException | None) -> None:
    current_request_id.set(None)
