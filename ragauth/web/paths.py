"""Paths and methods that several parts of `web` treat specially."""

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ragauth.config import MAX_BODY_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
# Safe methods change nothing (RFC 9110 section 9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
AUTHORIZE = "/api/v1/authorize"
KEYS_VERIFY = "/api/v1/keys/verify"
USAGE_REPORT = "/api/v1/usage/report"
LEAKS_OF_GITHUB = "/api/v1/leaks/github"
INTERNAL = "/api/v1/internal/"
LOGIN = "/api/auth/login"
COMPAT = "/compat/"
# Routes that take lists of up to 1,000 entries.
_TAKE_LISTS = (USAGE_REPORT, LEAKS_OF_GITHUB, COMPAT + "unkey/v2/keys.migrateKeys")
MAX_LIST_BYTES = 256 * 1024
HEALTHZ = "/healthz"
METRICS = "/metrics"
# These paths answer over plain HTTP too, and in this spelling only: proxies have exact rules for
# them.
PLAIN_HTTP_IS_FINE = frozenset({HEALTHZ, "/readyz", METRICS})

_ABSOLUTE_FORM = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*+://[^/?#]*")


def max_body_bytes(path: str) -> int:
    """The most bytes that a request's body may have.

    The path may begin with the prefix that the service is mounted at, so only its end counts.
    """
    is_large = path.removesuffix("/").endswith(_TAKE_LISTS)
    return MAX_LIST_BYTES if is_large else MAX_BODY_BYTES


def is_authorize(path: str) -> bool:
    """Whether the path is `authorize` or below it."""
    return path.startswith(AUTHORIZE) and path[len(AUTHORIZE) :][:1] in ("", "/")


def takes_idempotency_key(rule: str, method: str) -> bool:
    """Whether a route heeds an `Idempotency-Key`: each POST of the operator's own services does."""
    return method == "POST" and rule.startswith(INTERNAL)


def is_plain_spelling(environ: "WSGIEnvironment") -> bool:
    """Whether a request's path has an accepted spelling.

    A path begins with exactly one slash: Werkzeug would drop a second one, and add a missing one.
    The paths of PLAIN_HTTP_IS_FINE may have no percent-escape either. A server decodes escapes
    before the application is asked. So the request target itself is compared (RFC 9112 section 3.2)
    if the server passes it on, as RAW_URI (gunicorn) or REQUEST_URI. It may begin with the prefix
    that the service is mounted at, unless a proxy has removed that.
    """
    path: str = environ["PATH_INFO"]
    if path[:1] != "/" or path[:2] == "//":
        return False
    raw_path = _raw_path(environ) if path in PLAIN_HTTP_IS_FINE else ""
    return not raw_path or raw_path in (path, environ.get("SCRIPT_NAME", "") + path)


def find_raw_path(environ: "WSGIEnvironment") -> str | None:
    """The path as the client spelled it, with its escapes, without the prefix of a mount.

    None if the server does not pass the target on, or if the path is no longer that of the target.
    """
    path, raw_path = environ["PATH_INFO"], _raw_path(environ)
    decoded = unquote(raw_path, "latin-1")
    if decoded == path:
        return raw_path
    mounted_at: str = environ.get("SCRIPT_NAME", "")
    is_below = raw_path.startswith(mounted_at) and decoded == mounted_at + path
    return raw_path[len(mounted_at) :] if is_below else None


def _raw_path(environ: "WSGIEnvironment") -> str:
    """The path in the request target, as RAW_URI (gunicorn) or REQUEST_URI; "" without one."""
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if target[:1] != "/":
        target = _ABSOLUTE_FORM.sub("", target, count=1)
    return target.partition("?")[0]


def may_be_plain_http(environ: "WSGIEnvironment") -> bool:
    """Whether a request may come over plain HTTP where HTTPS is required: a probe or a scrape."""
    return environ["PATH_INFO"] in PLAIN_HTTP_IS_FINE and is_plain_spelling(environ)
