"""Guards: the credential check of a route, before it reads anything else.

Each returns the caller, or raises AuthenticationFailed or AuthorizationFailed.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flask import g, request

from ragauth.errors import (
    AccountSuspended,
    AuthenticationFailed,
    CredentialExpired,
    CredentialInvalid,
    CredentialMalformed,
    CredentialMissing,
    CredentialRevoked,
    InsufficientScope,
    IpNotAllowed,
    NoSuchRoute,
    OriginNotAllowed,
    RagauthError,
    RateLimitExceeded,
    WrongCredentialType,
)
from ragauth.extensions import settings
from ragauth.models.reads.keys import KeyFacts
from ragauth.security.identifiers import ACCOUNT, encode_bytes, encode_id
from ragauth.security.key_format import is_token_shaped
from ragauth.services.keys.check import (
    ANY_KIND,
    CUSTOMER_KINDS,
    SERVICE_KINDS,
    Question,
    current_checker,
)
from ragauth.services.keys.github_keys import current_github_keys
from ragauth.services.limits import throttles
from ragauth.services.sessions import sessions
from ragauth.services.sessions.sessions import Caller
from ragauth.services.sessions.tokens import TokenClaims
from ragauth.web import refresh_cookie
from ragauth.web.check.questions import presented_in
from ragauth.web.credentials import bearer_token, find_bearer_token, presented_key
from ragauth.web.json_body import read_body
from ragauth.web.paths import METRICS, SAFE_METHODS, is_authorize, is_plain_spelling

Guard = Callable[[], object]
Failure = RagauthError | type[RagauthError]

ACCESS_TOKEN = "accessToken"  # noqa: S105 - the name of a scheme
API_KEY = "apiKey"

_NOT_HELD = (CredentialMissing, CredentialMalformed, CredentialInvalid, WrongCredentialType)
_TOKEN_REFUSALS = (*_NOT_HELD, CredentialExpired, CredentialRevoked, AccountSuspended)
_KEY_REFUSALS = (*_TOKEN_REFUSALS, IpNotAllowed, OriginNotAllowed)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a guard requires, for the OpenAPI document: a security scheme, and the refusals."""

    scheme: str | None
    refusals: tuple[Failure, ...] = ()
    # Further refusals, of methods that change something.
    refusals_to_write: tuple[Failure, ...] = ()


_demands: dict[Guard, Demand] = {}
_SomeGuard = TypeVar("_SomeGuard", bound=Guard)


def demands(
    scheme: str | None, *refusals: Failure, to_write: tuple[Failure, ...] = ()
) -> Callable[[_SomeGuard], _SomeGuard]:
    """Declare what a guard requires."""

    def note(guard: _SomeGuard) -> _SomeGuard:
        _demands[guard] = Demand(scheme, refusals, to_write)
        return guard

    return note


def demand_of(guard: Guard) -> Demand:
    """What a guard requires; KeyError for a guard without a declaration."""
    return _demands[guard]


@demands(None)
def public() -> None:
    """Anyone may call."""


@demands(ACCESS_TOKEN, *_TOKEN_REFUSALS, to_write=(RateLimitExceeded,))
def access_token() -> Caller:
    """A dashboard user with an access token, who does not write too often.

    A request is counted even if it is refused later, since a refusal takes time as well.
    """
    caller = sessions.authenticate(token=presented_token())
    g.account_id = encode_id(ACCOUNT, caller.account.id)
    if request.method == "DELETE":
        throttles.revocations_of_session(caller.session_id).take()
    elif request.method not in SAFE_METHODS:
        throttles.writes_of_account(caller.account.id).take()
    return caller


@demands(ACCESS_TOKEN, *_NOT_HELD)
def any_token() -> list[TokenClaims]:
    """The tokens of header and cookie, access or refresh, expired or not: for logging out.

    One valid token is enough, whatever the other place has: a browser that logs out may have lost
    its access token. If neither is valid, the header's refusal is raised, or the cookie's if there
    is no header.
    """
    found, refusals = [], []
    for find in (presented_token, refresh_cookie.presented_token):
        try:
            found.append(sessions.read_any_token(find()))
        except (AuthenticationFailed, OriginNotAllowed) as refusal:
            refusals.append(refusal)
    if not found:
        header, cookie = refusals
        raise cookie if isinstance(header, CredentialMissing) else header
    return found


@demands(API_KEY, *_KEY_REFUSALS)
def api_key() -> KeyFacts:
    """A live key, of a customer or of a service."""
    return require_key(Question(kinds=ANY_KIND))


@demands(API_KEY, *_KEY_REFUSALS)
def customer_key() -> KeyFacts:
    """A live key of a customer."""
    return require_key(Question(kinds=CUSTOMER_KINDS))


@demands(None, CredentialMissing, CredentialMalformed, CredentialInvalid)
def metrics_reader() -> None:
    """Anyone; if RAGAUTH_METRICS_TOKEN is set, only a caller with that token."""
    expected = settings().metrics_token
    if expected is None:
        return
    presented = bearer_token(request.headers.get("Authorization"))
    if not hmac.compare_digest(presented.encode(), expected.encode()):
        raise CredentialInvalid("The token is not valid")


@demands(None, NoSuchRoute, CredentialMissing, CredentialMalformed, CredentialInvalid)
def github_signature() -> str:
    """GitHub, by its signature of the body; returns the identifier of the key that signed.

    There is no such route unless the operator has told where GitHub's keys are.
    """
    keys = current_github_keys()
    if not keys.is_set:
        raise NoSuchRoute
    identifier = request.headers.get("Github-Public-Key-Identifier")
    signature = request.headers.get("Github-Public-Key-Signature")
    if not identifier or not signature:
        raise CredentialMissing(
            "Github-Public-Key-Identifier and Github-Public-Key-Signature are required"
        )
    keys.require_signed(read_body(), identifier=identifier, signature=signature)
    return identifier


@demands(API_KEY, *_KEY_REFUSALS)
def any_service_key() -> KeyFacts:
    """A live key of a service, whatever its scopes."""
    return require_key(Question(kinds=SERVICE_KINDS))


def service_key(scope: str) -> Guard:
    """A live key of a service, with a scope."""

    @demands(API_KEY, *_KEY_REFUSALS, InsufficientScope(scope))
    def require_service_key() -> KeyFacts:
        return require_key(Question(kinds=SERVICE_KINDS, scopes=(scope,)))

    return require_service_key


def require_key(question: Question) -> KeyFacts:
    """The key of the present request, if it is live and may do what is asked; else raises."""
    verdict = current_checker().check(current_key(), presented_in(request.environ, question))
    # Every answer to a key has the RateLimit headers, whatever the route answers.
    g.limits = verdict.limits
    key = verdict.allowed_key()
    if key.account_id is not None:
        g.account_id = encode_bytes(ACCOUNT, key.account_id)
    return key


def presented_token() -> str:
    """The token in the Authorization header."""
    token = find_bearer_token(request.headers.get("Authorization"))
    if token is None and request.headers.get("X-API-Key"):
        raise WrongCredentialType("An API key is not accepted here; send an access token")
    if token is None:
        raise CredentialMissing
    return token


def current_key() -> str:
    """The API key of the present request."""
    key = presented_key(request.headers.get("Authorization"), request.headers.get("X-API-Key"))
    if is_token_shaped(key):
        raise WrongCredentialType("A token is not accepted here; send an API key")
    return key


def require_metrics_reader() -> None:
    """Check the token of `/metrics` also for methods that Flask answers without the view."""
    if request.environ["PATH_INFO"] == METRICS and is_plain_spelling(request.environ):
        metrics_reader()


def require_key_below_api_v1() -> None:
    """Require a key for every path below /api/v1, known or not.

    The routes require it themselves. This is for what Flask answers without a route: an unknown
    path, a wrong method, OPTIONS.
    """
    if not (request.path + "/").startswith("/api/v1/") or is_authorize(request.path):
        return
    if request.routing_exception is not None or request.method == "OPTIONS":
        api_key()
