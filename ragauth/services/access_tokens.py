"""The JWTs of a session: an access token of an hour, a refresh token of seven days.

Both are derived from the session's row alone (its id, its generation, when that began), so the
same generation always has the same pair: whoever repeats a refresh gets the same successor.
Sources: RFC 7519, RFC 8725 sections 3.1 to 3.11.
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from flask_jwt_extended import create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException

from ragauth import clock
from ragauth.errors import (
    CredentialExpired,
    CredentialInvalid,
    CredentialMalformed,
    WrongCredentialType,
)
from ragauth.extensions import jwt as jwt_extension
from ragauth.extensions import settings
from ragauth.security.identifiers import ACCOUNT, SESSION, decode_id, encode_id
from ragauth.security.key_format import resembles_key
from ragauth.security.passwords import derive_key

ALGORITHM = "HS256"
ISSUER = "ragauth"
AUDIENCE = "ragauth"
ACCESS = "access"
REFRESH = "refresh"

_REQUIRED_CLAIMS = frozenset({"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "type"})
_ALLOWED_HEADERS = frozenset({"alg", "typ", "kid"})


@dataclass(frozen=True, slots=True)
class TokenPair:
    token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's name of the scheme


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token with a good signature says."""

    account_id: uuid.UUID
    session_id: uuid.UUID
    type: str
    generation: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SigningKey:
    id: str
    secret: bytes


def issue_pair(
    *, account_id: uuid.UUID, session_id: uuid.UUID, generation: int, rotated_at: datetime
) -> TokenPair:
    """The pair of one generation of a session. `expires_in` is in seconds from now."""
    issued_at = int(rotated_at.timestamp())
    expires_at = issued_at + settings().access_token_seconds

    def claims(token_type: str, expiry: int) -> dict[str, Any]:
        return {
            "sid": encode_id(SESSION, session_id),
            "gen": generation,
            "jti": str(uuid.uuid5(session_id, f"{token_type}:{generation}")),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": expiry,
        }

    identity = encode_id(ACCOUNT, account_id)
    headers = {"kid": _signing_key(settings().secret_key).id}
    return TokenPair(
        token=create_access_token(
            identity, additional_claims=claims(ACCESS, expires_at), additional_headers=headers
        ),
        refresh_token=create_refresh_token(
            identity,
            additional_claims=claims(REFRESH, issued_at + settings().refresh_token_seconds),
            additional_headers=headers,
        ),
        expires_in=max(0, expires_at - int(clock.now().timestamp())),
    )


def issue_access_token(*, account_id: uuid.UUID, session_id: uuid.UUID, generation: int) -> str:
    """A further access token of a generation, whose refresh token stays as it is."""
    issued_at = int(clock.now().timestamp())
    token: str = create_access_token(
        encode_id(ACCOUNT, account_id),
        additional_claims={
            "sid": encode_id(SESSION, session_id),
            "gen": generation,
            "jti": str(uuid.uuid4()),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + settings().access_token_seconds,
        },
        additional_headers={"kid": _signing_key(settings().secret_key).id},
    )
    return token


def read_token(token: str, *, expected: str | None, allow_expired: bool = False) -> TokenClaims:
    """The claims of a token of ours.

    `expected` is the type that it must have; None accepts both. Raises AuthenticationFailed.
    """
    if resembles_key(token, settings().key_brand):
        raise WrongCredentialType("An API key is not accepted here; send a token")
    if token.count(".") != 2:
        raise CredentialMalformed("The token is malformed")
    try:
        claims = _verify(token, settings().secret_key)
    except (jwt.PyJWTError, JWTExtendedException, ValueError, RecursionError) as error:
        raise CredentialInvalid("The token is not valid") from error
    if expected is not None and claims.type != expected:
        raise WrongCredentialType(f"This is not a token of the type {expected}")
    if not allow_expired and claims.expires_at <= clock.now():
        raise CredentialExpired(claims.expires_at, f"{claims.type.capitalize()} token has expired")
    return claims


@lru_cache(maxsize=4096)
def _verify(token: str, secret_key: bytes) -> TokenClaims:  # noqa: ARG001 - it decides, by _decode_key
    """The claims of a token whose signature is good, expired or not.

    Remembered: what a key once signed it has signed for good. Whether the token still holds (its
    end, its session, its account) is asked each time. Raises ValueError for a claim that is not
    of the form that we write.
    """
    claims = decode_token(token, allow_expired=True)
    session_id, generation, expires_at = claims["sid"], claims.get("gen"), claims["exp"]
    if (
        not isinstance(session_id, str)
        or type(generation) is not int
        or type(expires_at) is not int
    ):
        raise ValueError("not claims of ours")
    return TokenClaims(
        account_id=decode_id(ACCOUNT, claims["sub"]),
        session_id=decode_id(SESSION, session_id),
        type=claims["type"],
        generation=generation,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
    )


@jwt_extension.encode_key_loader
def _encode_key(_identity: str) -> bytes:
    return _signing_key(settings().secret_key).secret


@jwt_extension.decode_key_loader
def _decode_key(headers: dict[str, Any], claims: dict[str, Any]) -> bytes:
    """The key that a token must be signed with.

    Called before the signature is checked: a token with a header that we never write (`jku`,
    `jwk`, `x5u`, `crit`), an unknown `kid` or a claim missing is refused here.
    """
    key = _signing_key(settings().secret_key)
    if not set(headers) <= _ALLOWED_HEADERS or headers.get("kid") != key.id:
        raise jwt.InvalidTokenError("not a header of ours")
    if not set(claims) >= _REQUIRED_CLAIMS:
        raise jwt.InvalidTokenError("a required claim is missing")
    return key.secret


@lru_cache(maxsize=4)
def _signing_key(secret_key: bytes) -> SigningKey:
    secret = derive_key(secret_key, "ragauth token signature")
    return SigningKey(hashlib.sha256(secret).hexdigest()[:16], secret)


def jwt_config(access_token_seconds: int, refresh_token_seconds: int) -> dict[str, Any]:
    """Flask-JWT-Extended's configuration; it accepts far more than this by default."""
    return {
        "JWT_ALGORITHM": ALGORITHM,
        "JWT_DECODE_ALGORITHMS": [ALGORITHM],
        "JWT_ENCODE_ISSUER": ISSUER,
        "JWT_DECODE_ISSUER": ISSUER,
        "JWT_ENCODE_AUDIENCE": AUDIENCE,
        "JWT_DECODE_AUDIENCE": AUDIENCE,
        "JWT_TOKEN_LOCATION": ["headers"],
        # For `nbf` and `iat`, of hosts whose clocks differ; `exp` is compared here, without any.
        "JWT_DECODE_LEEWAY": 10,
        # Its csrf claim is random; a generation always has the same pair.
        "JWT_COOKIE_CSRF_PROTECT": False,
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(seconds=access_token_seconds),
        "JWT_REFRESH_TOKEN_EXPIRES": timedelta(seconds=refresh_token_seconds),
    }
