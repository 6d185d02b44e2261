"""Paths that more than one part of the plumbing treats in its own way."""

_AUTHORIZE = "/api/v1/authorize"


def is_authorize(path: str) -> bool:
    """Whether the path is that of `authorize` or lies below it."""
    return path.startswith(_AUTHORIZE) and path[len(_AUTHORIZE) :][:1] in ("", "/")
