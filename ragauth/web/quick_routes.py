"""Which requests are so quick that a server may answer them in the thread that polls its sockets.

A quick route is declared so (`@endpoint(..., is_quick=True)`): it takes no lock, hashes nothing,
and asks the database by prepared reads alone. A read that would wait raises WouldWait there, and a
thread of the pool answers instead. A path without a route is quick too.
"""

from functools import lru_cache

from flask import Flask
from werkzeug.exceptions import HTTPException, NotFound

from ragauth.config import mounted_at

_BELOW_KEYS = "/api/v1/"


def is_quick(app: object, method: str, path: str) -> bool:
    """Whether a request of this method and path, as it was sent, is quick.

    The path has no escapes. Below /api/v1 an unknown path is not quick, because it requires a key
    first.
    """
    # With a wrapper around the application, or a mounted one, paths are different.
    if method != "GET" or not isinstance(app, Flask) or mounted_at():
        return False
    known = _known_paths(app).get(path)
    return _is_nowhere(app, path) if known is None else known


@lru_cache(maxsize=8)
def _known_paths(app: Flask) -> dict[str, bool]:
    """Each path without parameters, and whether its route is quick."""
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
