"""CORS: the dashboard's listed origins may call its routes; any other gets no permission."""

import logging
import re

from flask import Flask, Response, request

from ragauth import clock
from ragauth.config import Settings
from ragauth.security.origins import MAX_LENGTH, find_canonical_origin
from ragauth.security.redaction import redact_credentials
from ragauth.web.refresh_cookie import CSRF_HEADER

log = logging.getLogger("ragauth")

# The contract's paths, and the same paths of compat faces.
_DASHBOARD_PATH = re.compile(r"(/compat/[^/]+)?/(api|v1)/(auth|agents)(/.*)?$")
_NAMES_OF_HEADERS = "Access-Control-Request-Headers"
# A browser names the few headers that a script has set.
_LONGEST_NAMES = 1000
# A client can invent origins: log at most this many in a period, each once.
_MOST_TOLD = 10
_WHILE_SECONDS = 60


def allow_origins(app: Flask, settings: Settings) -> None:
    """Register CORS; after the request log, which has a line for a preflight too."""
    app.after_request(_vary_by_origin)
    app.before_request(_Refusals(settings.cors_origins).look)
    if not settings.cors_origins:
        return
    from flask_cors import CORS  # noqa: PLC0415 - only where there are origins

    app.before_request(_answer_preflight)
    CORS(
        app,
        resources={
            _DASHBOARD_PATH.pattern: {
                "origins": [_exactly(origin) for origin in settings.cors_origins]
            }
        },
        supports_credentials=True,
        allow_headers=["Authorization", "Content-Type", "X-Request-Id", CSRF_HEADER],
        expose_headers=[
            *("Content-Disposition", "RateLimit", "RateLimit-Policy", "Retry-After"),
            *("WWW-Authenticate", "X-Request-Id"),
        ],
        max_age=600,
        # If True, an answer to a request without an Origin would name the first listed one.
        always_send=False,
        vary_header=False,
    )


def _exactly(origin: str) -> re.Pattern[str]:
    """A pattern for exactly this origin: Flask-CORS would take a text with a dot as a pattern."""
    return re.compile(rf"{re.escape(origin)}\Z")


class _Refusals:
    """Tells the operator in the log which origins the browser is about to refuse."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        self._told: set[str] = set()
        self._told_until = 0.0

    def look(self) -> None:
        """Log a request's origin if it is neither listed nor the service's own.

        Only text with the form of an origin is logged: any other text may be a secret.
        """
        origin = request.headers.get("Origin")
        if not origin or origin in self._allowed or not _is_dashboard() or _is_own(origin):
            return
        now = clock.monotonic()
        if now >= self._told_until:
            self._told, self._told_until = set(), now + _WHILE_SECONDS
        known_form = find_canonical_origin(origin)
        if known_form is None or known_form in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add(known_form)
        shown = redact_credentials(known_form, longest=MAX_LENGTH)
        log.warning("origin %s is not allowed: RAGAUTH_CORS_ORIGINS", shown)


def _is_own(origin: str) -> bool:
    """Whether the origin is the service's own.

    The scheme is ignored: a proxy may have ended TLS.
    """
    return origin.partition("://")[2] == request.host


def _is_dashboard() -> bool:
    return _DASHBOARD_PATH.match(request.path) is not None


def _vary_by_origin(response: Response) -> Response:
    """Add `Vary: Origin` always: a cache must not give one origin the answer of another."""
    if _is_dashboard():
        response.vary.add("Origin")
    return response


def _answer_preflight() -> Response | None:
    """Answer a preflight alike for every path and method.

    After a failed preflight a browser would hide the 404 or 405 of the call from its script.
    """
    if len(request.headers.get(_NAMES_OF_HEADERS, "")) > _LONGEST_NAMES:
        # Flask-CORS would compare each name with each pattern.
        del request.environ["HTTP_ACCESS_CONTROL_REQUEST_HEADERS"]
    is_preflight = (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )
    return Response(status=204) if is_preflight and _is_dashboard() else None
