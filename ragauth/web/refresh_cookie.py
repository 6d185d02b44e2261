"""Cookie mode: the refresh token travels in a cookie that no script can read, in both directions.

Views and services do not see the cookie. On every route the cookie's token is put into the body
before it is loaded, and a refresh token in an answer is moved into the cookie. Sources: RFC 6265bis
section 4.1.3, OWASP's CSRF prevention cheat sheet (custom request header, Fetch Metadata, verified
origin).
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Response, after_this_request, g, request
from marshmallow import Schema, ValidationError

from ragauth.errors import AuthenticationFailed, CredentialMissing, OriginNotAllowed
from ragauth.extensions import settings

COOKIE = "__Host-ragauth_refresh"
# An HTML form cannot send this header. A script of another origin needs a preflight, which CORS
# refuses.
CSRF_HEADER = "X-Ragauth-CSRF"
_FIELD = "refresh_token"


def receive(schema: Schema, body: dict[str, Any]) -> dict[str, Any]:
    """The body, with the cookie's token added if the schema has such a field.

    Raises CredentialMissing, OriginNotAllowed, or ValidationError for a token in the body.
    """
    if not settings().refresh_cookie or _FIELD not in schema.fields:
        return body
    if _FIELD in body:
        others = schema.validate({**body, _FIELD: ""})
        raise ValidationError(
            {**others, _FIELD: ["May not be in the body: here the cookie carries it"]}
        )
    return {**body, _FIELD: presented_token()}


def presented_token() -> str:
    """The token in the cookie; an answer that refuses it for good deletes the cookie.

    Raises CredentialMissing, or OriginNotAllowed if another site's page may have sent it.
    """
    token = request.cookies.get(COOKIE) if settings().refresh_cookie else None
    if token is None:
        raise CredentialMissing
    _require_own_page()
    _set_cookie_if(_is_refused_for_good, "", 0)
    return token


def extract(data: dict[str, Any]) -> dict[str, Any]:
    """The answer's data; in cookie mode without the refresh token, which is set as the cookie."""
    if not settings().refresh_cookie or _FIELD not in data:
        return data
    _set_cookie_if(_is_success, data[_FIELD], settings().refresh_token_seconds)
    return {name: value for name, value in data.items() if name != _FIELD}


def forget() -> None:
    """Delete the cookie with the present answer, because this browser's session has ended."""
    if settings().refresh_cookie:
        _set_cookie_if(_is_success, "", 0)


def _is_success(response: Response) -> bool:
    """True for a success: a failed request must not change the cookie."""
    return response.status_code < HTTPStatus.BAD_REQUEST


def _is_refused_for_good(_response: Response) -> bool:
    """Whether the token is dead.

    False if its session lives: another tab may just have a newer cookie.
    """
    failure = g.get("failure")
    return isinstance(failure, AuthenticationFailed) and not failure.leaves_the_session


def _set_cookie_if(fits: Callable[[Response], bool], value: str, max_age_seconds: int) -> None:
    """Set the cookie with the present answer if `fits` accepts that answer."""

    @after_this_request
    def set_cookie(response: Response) -> Response:
        if fits(response):
            response.set_cookie(
                COOKIE,
                value,
                max_age=max_age_seconds,
                path="/",
                secure=True,
                httponly=True,
                samesite="Strict",
            )
        return response


def _require_own_page() -> None:
    """Require that a page of the service's own origin, or of a listed one, sends the cookie."""
    if request.headers.get(CSRF_HEADER) != "1":
        raise OriginNotAllowed(f"With the cookie, send the header {CSRF_HEADER}: 1")
    if not _is_own_page():
        raise OriginNotAllowed("The cookie may not be used from this origin")


def _is_own_page() -> bool:
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin in settings().cors_origins or site in ("same-origin", "none"):
        return True
    if site is not None:
        return False
    # An old browser, or no browser. The scheme is ignored: a proxy may have ended TLS. An invalid
    # Host is "", and so is the host part of the origin `null`: these two must not match.
    return origin is None or origin.partition("://")[2] == (request.host or None)
