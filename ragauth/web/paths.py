"""Paths and methods that more than one part of the plumbing treats in its own way."""

ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
# RFC 9110 section 9.2.1: they change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
AUTHORIZE = "/api/v1/authorize"
VERIFY = "/api/v1/keys/verify"
LOGIN = "/api/auth/login"
COMPAT = "/compat/"
PLAIN_HTTP_IS_FINE = frozenset({"/healthz", "/readyz", "/metrics"})


def is_authorize(path: str) -> bool:
    """Whether the path is that of `authorize` or lies below it."""
    return path.startswith(AUTHORIZE) and path[len(AUTHORIZE) :][:1] in ("", "/")
