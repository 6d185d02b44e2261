"""Which requests ask so little that a server may answer them in the thread that polls its sockets.

A route says so of itself (`@endpoint(..., is_quick=True)`): it takes no lock, hashes nothing, and
asks the database by prepared reads alone. A read that would wait raises WouldWait there, and a
thread of the pool answers. A path that no route has is quick too.
"""

from functools import lru_cache

from flask import Flask
from werkzeug.exceptions import HTTPException, NotFound

from ragauth.config import mounted_at

_BELOW_KEYS = "/api/v1/"


def is_quick(app: object, method: str, path: str) -> bool:
    """Whether a request of this method and path, as it was sent, is one of them.

    No path has an escape here. Below /api/v1 even an unknown one asks for a key first.
    """
    # Of a wrapper around the application, and of a mounted one, the paths are others.
    if method != "GET" or not isinstance(app, Flask) or mounted_at():
        return False
    known = _known_paths(app).get(path)
    return _is_nowhere(app, path) if known is None else known


@lru_cache(maxsize=8)
def _known_paths(app: Flask) -> dict[str, bool]:
    """Whether the route of each path without parameters is quick."""
    known = {}
    for rule in app.url_map.iter_rules():
        if not rule.arguments and "GET" in (rule.methods or ()):
            declaration = getattr(app.view_functions[rule.endpoint], "declaration", None)
            known[rule.rule] = declaration is not None and declaration.is_quick
    return known


def _is_nowhere(app: Flask, path: str) -> bool:
    if f"{path}/".startswith(_BELOW_KEYS):
        return False
    try:
        app.url_map.bind("").match(path, "GET")
    except NotFound:
        return True
    except HTTPException:
        return False
    return False
