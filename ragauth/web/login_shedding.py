"""Turning logins away while every place to hash is taken, on every face, before Flask is asked."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask

from ragauth.errors import TooManyHashes
from ragauth.metrics import HASHES_REFUSED
from ragauth.services.hashing import hashing_gate
from ragauth.web.faces import Wording, wording_of
from ragauth.web.key_answers import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Set by a server whose polling thread asks: what would wait for a hash is turned away instead.
MUST_NOT_WAIT = "ragauth.must_not_wait"

Shed = Callable[["WSGIEnvironment"], tuple[Answer, None] | None]


def login_shedders(app: Flask) -> dict[str, Shed]:
    """For each path of a login: the refusal in its face's words, or None while a place is free."""
    paths = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.endswith("/login")]
    shedders = {path: _shedder(wording_of(app, path)) for path in paths}
    return shedders | {f"{path}/": shed for path, shed in shedders.items()}


def _shedder(wording: Wording) -> Shed:
    """A login that finds no place to be hashed costs next to nothing, or a flood of them would
    starve the checks all the same. One from a browser needs the application's CORS headers.
    """

    def shed(environ: "WSGIEnvironment") -> tuple[Answer, None] | None:
        may_wait = hashing_gate.free_places > 0 and MUST_NOT_WAIT not in environ
        if may_wait or "HTTP_ORIGIN" in environ:
            return None
        HASHES_REFUSED.count()
        refusal = wording.failure(TooManyHashes())
        refusal.headers["Vary"] = "Origin"
        del refusal.headers["Content-Length"]
        return Answer(refusal.status_code, [*refusal.headers], refusal.data), None

    return shed
