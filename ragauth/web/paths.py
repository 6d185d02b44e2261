"""Paths that more than one part of the plumbing treats in its own way."""

ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_AUTHORIZE = "/api/v1/authorize"


def is_authorize(path: str) -> bool:
    """Whether the path is that of `authorize` or lies below it."""
    return path.startswith(_AUTHORIZE) and path[len(_AUTHORIZE) :][:1] in ("", "/")
