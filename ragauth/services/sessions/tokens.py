"""The JWTs of a session: an access token of an hour, a refresh token of seven days.

Both are derived from the session's row alone (its id, its generation, when that began and ends), so
a generation always has the same pair: a repeated refresh gets the same successor. The signature is
the same too: the key is the one that signed when the generation began, and ES256 is used in its
deterministic form. Sources: RFC 7519, RFC 8725 sections 3.1 to 3.11.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from flask_jwt_extended import create_access_token, create_refresh_token

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
from ragauth.security.signatures import ALGORITHM, load_public_key
from ragauth.services.sessions import signing_keys
from ragauth.services.sessions.signing_keys import current_ring

ISSUER = "ragauth"
AUDIENCE = "ragauth"
ACCESS = "access"
REFRESH = "refresh"

# An audience of its own: another service that verifies access tokens must not accept a refresh
# token (RFC 8725 section 3.12).
_AUDIENCES = {ACCESS: AUDIENCE, REFRESH: "ragauth/refresh"}

# PyJWT's defaults accept far more than this service should: any issuer, any audience, and tokens
# without the claims that this service reads.
_DECODING: dict[str, Any] = {
    "algorithms": [ALGORITHM],
    "issuer": ISSUER,
    "audience": list(_AUDIENCES.values()),
    # For `nbf` and `iat`, since hosts' clocks differ; `exp` is compared in this module, without
    # leeway.
    "leeway": clock.LEEWAY,
    "options": {
        "verify_exp": False,
        "require": ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "type"],
    },
}
_HEADERS = frozenset({"alg", "typ", "kid"})
# Two JSON objects in UTF-8 and nothing else (RFC 8725 section 3.7), and an ES256 signature of 64
# bytes.
_FORM = re.compile(r"(?:eyJ[A-Za-z0-9_-]+\.){2}[A-Za-z0-9_-]{86}")


@dataclass(frozen=True, slots=True)
class TokenPair:
    token: str
    refresh_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's name of the scheme


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims of a token whose signature was verified."""

    account_id: uuid.UUID
    session_id: uuid.UUID
    type: str
    generation: int
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Bearer:
    """The account and session that a token is for, and the key that signs it."""

    account_id: uuid.UUID
    private_key: EllipticCurvePrivateKey


def issue_pair(
    *,
    account_id: uuid.UUID,
    session_id: uuid.UUID,
    generation: int,
    rotated_at: datetime,
    ends_at: datetime,
) -> TokenPair:
    """The pair of one generation of a session.

    `expires_in` is in seconds from now. The refresh token lives until `ends_at`, the access token
    no longer than that.
    """
    issued_at = int(rotated_at.timestamp())
    ends = int(ends_at.timestamp())
    expires_at = min(issued_at + settings().access_token_seconds, ends)

    def claims(token_type: str, expiry: int) -> dict[str, Any]:
        return {
            "aud": _AUDIENCES[token_type],
            "sid": encode_id(SESSION, session_id),
            "gen": generation,
            "jti": str(uuid.uuid5(session_id, f"{token_type}:{generation}")),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": expiry,
        }

    key = signing_keys.key_of(rotated_at)
    identity = _Bearer(account_id, signing_keys.private_key_of(key))
    headers = {"kid": key.kid}
    return TokenPair(
        token=create_access_token(
            identity, additional_claims=claims(ACCESS, expires_at), additional_headers=headers
        ),
        refresh_token=create_refresh_token(
            identity,
            additional_claims=claims(REFRESH, ends),
            additional_headers=headers,
        ),
        expires_in=max(0, expires_at - int(clock.now().timestamp())),
    )


def issue_access_token(
    *, account_id: uuid.UUID, session_id: uuid.UUID, generation: int, ends_at: datetime
) -> str:
    """Issue a further access token of a generation; the refresh token stays valid."""
    now = clock.now()
    issued_at = int(now.timestamp())
    key = signing_keys.key_of(now)
    token: str = create_access_token(
        _Bearer(account_id, signing_keys.private_key_of(key)),
        additional_claims={
            "aud": _AUDIENCES[ACCESS],
            "sid": encode_id(SESSION, session_id),
            "gen": generation,
            "jti": str(uuid.uuid4()),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": min(issued_at + settings().access_token_seconds, int(ends_at.timestamp())),
        },
        additional_headers={"kid": key.kid},
    )
    return token


def read_token(token: str, *, expected: str | None, allow_expired: bool = False) -> TokenClaims:
    """The claims of a token of this service.

    `expected` is the type it must have; None accepts both. Raises AuthenticationFailed.
    """
    if resembles_key(token, settings().key_brand):
        raise WrongCredentialType("An API key is not accepted here; send an access token")
    if token.count(".") != 2:
        raise CredentialMalformed(
            "The token is malformed: a token has three parts with dots between them"
        )
    try:
        claims, kid = _verify(token)
        if current_ring().find(kid) is None:
            raise jwt.InvalidTokenError("its key was retired since")
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise CredentialInvalid("The token is not valid") from error
    if expected is not None and claims.type != expected:
        raise WrongCredentialType(
            f"The token's type is {claims.type}, and {expected} is accepted here"
        )
    # The signature was cached as verified, and the clock may have been stepped back since: check
    # `iat` now.
    if not allow_expired and clock.is_ahead(claims.issued_at):
        raise CredentialInvalid("The token was issued in the future")
    if not allow_expired and claims.expires_at <= clock.now():
        raise CredentialExpired(claims.expires_at, f"{claims.type.capitalize()} token has expired")
    return claims


@lru_cache(maxsize=4096)
def _verify(token: str) -> tuple[TokenClaims, str]:
    """The claims of a token whose signature is good, expired or not, and its key's `kid`.

    The result is cached: a `kid` is the thumbprint of its key, so a valid signature stays valid.
    Whether the key, the token, its session and its account are still live is checked each time.
    Raises jwt.PyJWTError, and ValueError for what does not have the form that this service writes.
    """
    if not _FORM.fullmatch(token):
        raise ValueError("not a token of ours")
    # With PyJWT itself: Flask-JWT-Extended would read all of a token twice to find its key.
    kid, key = _key_named_in(jwt.get_unverified_header(token))
    claims = jwt.decode(token, key, **_DECODING)
    session_id, generation = claims["sid"], claims.get("gen")
    issued_at, expires_at = claims["iat"], claims["exp"]
    if (
        not isinstance(session_id, str)
        or type(generation) is not int
        or type(issued_at) is not int
        or type(expires_at) is not int
    ):
        raise ValueError("not claims of ours")
    if claims["aud"] != _AUDIENCES.get(str(claims["type"]), AUDIENCE):
        raise ValueError("another type's audience")
    verified = TokenClaims(
        account_id=decode_id(ACCOUNT, claims["sub"]),
        session_id=decode_id(SESSION, session_id),
        type=claims["type"],
        generation=generation,
        issued_at=datetime.fromtimestamp(issued_at, UTC),
        expires_at=datetime.fromtimestamp(expires_at, UTC),
    )
    return verified, kid


@jwt_extension.user_identity_loader
def _subject(bearer: _Bearer) -> str:
    return encode_id(ACCOUNT, bearer.account_id)


@jwt_extension.encode_key_loader
def _encode_key(bearer: _Bearer) -> EllipticCurvePrivateKey:
    return bearer.private_key


def _key_named_in(headers: dict[str, Any]) -> tuple[str, EllipticCurvePublicKey]:
    """The `kid` and the key that a token must be signed with.

    Called before the signature is checked. A token with a header that this service never writes
    (`jku`, `jwk`, `x5u`, `crit`) or an unknown `kid` is refused here. The key comes from the ring
    alone, and only for the one algorithm that it is for.
    """
    kid = headers.get("kid")
    if set(headers) != _HEADERS or headers["typ"] != "JWT" or not isinstance(kid, str):
        raise jwt.InvalidTokenError("not a header of ours")
    key = current_ring().find(kid)
    if key is None or headers["alg"] != key.algorithm:
        raise jwt.InvalidTokenError("not a key of ours")
    return kid, load_public_key(key.public_jwk)


def jwt_config(access_token_seconds: int, refresh_token_seconds: int) -> dict[str, Any]:
    """Flask-JWT-Extended's configuration: it issues tokens, and never reads one."""
    return {
        "JWT_ALGORITHM": ALGORITHM,
        "JWT_ENCODE_ISSUER": ISSUER,
        # No csrf claim: it is random, and a generation must always have the same pair.
        "JWT_COOKIE_CSRF_PROTECT": False,
        "JWT_ACCESS_TOKEN_EXPIRES": timedelta(seconds=access_token_seconds),
        "JWT_REFRESH_TOKEN_EXPIRES": timedelta(seconds=refresh_token_seconds),
    }
