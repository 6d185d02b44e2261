"""Refuses logins while every place to hash is taken, on every face, before Flask is asked."""

import json
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from flask import Flask

from ragauth.config import Settings
from ragauth.errors import TooManyHashes
from ragauth.extensions import runtime_of
from ragauth.metrics import HASHES_REFUSED
from ragauth.security.normal_forms import TextTooLong, fold
from ragauth.services.accounts.hashing_gate import hashing_gate, share_of
from ragauth.web.envelope import Answer
from ragauth.web.faces import Wording, wording_of
from ragauth.web.forwarded import client_address
from ragauth.web.json_body import read_early

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# A server sets it in its polling thread: a login that would wait for its hash is refused there.
MUST_NOT_WAIT = "ragauth.must_not_wait"

_LONGEST_LOGIN = 256

Shed = Callable[["WSGIEnvironment"], Generator[Any, Any, Answer | None]]


def login_shedders(app: Flask) -> dict[str, Shed]:
    """By login path, a function that returns the refusal, or None if the login may find a place."""
    paths = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.endswith("/login")]
    shedders = {path: _shedder(wording_of(app, path)) for path in paths}
    return shedders | {f"{path}/": shed for path, shed in shedders.items()}


def is_to_be_shed(app: object, environ: "WSGIEnvironment", peer: str) -> bool:
    """Whether to refuse a login for lack of a place to hash; `peer` is the connection's address."""
    if not isinstance(app, Flask):
        # A wrapper around the application: the gate behind it decides, in a thread.
        return False
    settings: Settings = runtime_of(app).settings
    address = client_address(
        {**environ, "REMOTE_ADDR": peer}, trusted_proxies=settings.trusted_proxies
    )
    return not _may_find_place(environ, address)


def _shedder(wording: Wording) -> Shed:
    refusal = wording.failure(TooManyHashes())
    refusal.headers["Vary"] = "Origin"
    del refusal.headers["Content-Length"]
    answer = Answer(refusal.status_code, [*refusal.headers], refusal.data)

    def shed(environ: "WSGIEnvironment") -> Generator[Any, Any, Answer | None]:
        yield from ()  # It asks nothing of the checker.
        address = environ.get("REMOTE_ADDR")
        if MUST_NOT_WAIT not in environ and _may_find_place(environ, address):
            return None
        HASHES_REFUSED.count()
        return answer

    return shed


def _may_find_place(environ: "WSGIEnvironment", address: str | None) -> bool:
    """Whether a login may get a place to hash; False if it would be refused.

    It must cost almost nothing: otherwise a flood of logins would still starve the key checks. Two
    cases are left to the application: a body that does not name the account, and a browser's login,
    whose answer needs the application's CORS headers.
    """
    if hashing_gate.free_places > 0 or "HTTP_ORIGIN" in environ:
        return True
    login = _presented_login(environ)
    return login is None or hashing_gate.has_place_for(share_of(address, login))


def _presented_login(environ: "WSGIEnvironment") -> str | None:
    """The e-mail or username in the body, in its folded form; the body can be read again."""
    body = read_early(environ)
    if body is None:
        return None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    login = fields.get("email") or fields.get("username")
    try:
        return fold(login.strip(), longest=_LONGEST_LOGIN) if isinstance(login, str) else None
    except TextTooLong:
        return None
