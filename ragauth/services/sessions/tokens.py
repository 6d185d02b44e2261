"""The JWTs of a session: an access token of an hour, a refresh token of seven days.

Both are derived from the session's row alone (its id, its generation, when that began and ends), so
a generation always has the same pair: a repeated refresh gets the same successor. The signature is
the same too: the key is the one that signed when the generation began, and ES256 is used in its
deterministic form. Sources: RFC 7519, RFC 8725 sections 3.1 to 3.11.
"""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ragauth import clock
from ragauth.errors import (
    CredentialExpired,
    CredentialInvalid,
    CredentialMalformed,
    WrongCredentialType,
)
from ragauth.extensions import settings
from ragauth.models.reads.signing_keys import SigningKeyFacts
from ragauth.security.identifiers import ACCOUNT, SESSION, decode_id, encode_id
from ragauth.security.key_format import resembles_key
from ragauth.security.signatures import find_kid, load_public_key, read_claims, sign_token
from ragauth.services.sessions import signing_keys
from ragauth.services.sessions.signing_keys import current_ring

ISSUER = "ragauth"
AUDIENCE = "ragauth"
ACCESS = "access"
REFRESH = "refresh"

# An audience of its own: another service that verifies access tokens must not accept a refresh
# token (RFC 8725 section 3.12).
_AUDIENCES = {ACCESS: AUDIENCE, REFRESH: "ragauth/refresh"}

_NUMBERS = ("iat", "nbf", "exp", "gen")
_TEXTS = ("iss", "aud", "sub", "sid", "jti")
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
    key = signing_keys.key_of(rotated_at)

    def issue(token_type: str, expiry: int) -> str:
        return _sign(
            key,
            token_type=token_type,
            token_id=uuid.uuid5(session_id, f"{token_type}:{generation}"),
            account_id=account_id,
            session_id=session_id,
            generation=generation,
            issued_at=issued_at,
            expires_at=expiry,
        )

    return TokenPair(
        token=issue(ACCESS, expires_at),
        refresh_token=issue(REFRESH, ends),
        expires_in=max(0, expires_at - int(clock.now().timestamp())),
    )


def issue_access_token(
    *, account_id: uuid.UUID, session_id: uuid.UUID, generation: int, ends_at: datetime
) -> str:
    """Issue a further access token of a generation; the refresh token stays valid."""
    now = clock.now()
    issued_at = int(now.timestamp())
    return _sign(
        signing_keys.key_of(now),
        token_type=ACCESS,
        token_id=uuid.uuid4(),
        account_id=account_id,
        session_id=session_id,
        generation=generation,
        issued_at=issued_at,
        expires_at=min(issued_at + settings().access_token_seconds, int(ends_at.timestamp())),
    )


def _sign(
    key: SigningKeyFacts,
    *,
    token_type: str,
    token_id: uuid.UUID,
    account_id: uuid.UUID,
    session_id: uuid.UUID,
    generation: int,
    issued_at: int,
    expires_at: int,
) -> str:
    # The order is a part of the token: a generation's pair is the same at every host.
    claims = {
        "fresh": False,
        "iat": issued_at,
        "jti": str(token_id),
        "type": token_type,
        "sub": encode_id(ACCOUNT, account_id),
        "nbf": issued_at,
        "iss": ISSUER,
        "exp": expires_at,
        "aud": _AUDIENCES[token_type],
        "sid": encode_id(SESSION, session_id),
        "gen": generation,
    }
    return sign_token(claims, kid=key.kid, key=signing_keys.private_key_of(key))


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
            raise ValueError("its key was retired since")
    except (ValueError, RecursionError) as error:
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
    Raises ValueError for what is not a token of this service, and RecursionError.
    """
    if not _FORM.fullmatch(token):
        raise ValueError("not a token of ours")
    kid = find_kid(token)
    # Before the signature is checked: the key comes from the ring alone.
    key = None if kid is None else current_ring().find(kid)
    if kid is None or key is None:
        raise ValueError("not a key of ours")
    claims = read_claims(token, load_public_key(key.public_jwk))
    if not _are_ours(claims):
        raise ValueError("not claims of ours")
    verified = TokenClaims(
        account_id=decode_id(ACCOUNT, claims["sub"]),
        session_id=decode_id(SESSION, claims["sid"]),
        type=claims["type"],
        generation=claims["gen"],
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )
    if clock.is_ahead(verified.issued_at):
        raise ValueError("issued in the future")
    return verified, kid


def _are_ours(claims: dict[str, Any]) -> bool:
    """Whether the claims are those that this service writes, each with a value of its type."""
    return (
        all(type(claims.get(name)) is int for name in _NUMBERS)
        and all(isinstance(claims.get(name), str) for name in _TEXTS)
        and claims["nbf"] == claims["iat"]
        and claims["iss"] == ISSUER
        # Another type than ours is refused as such, with an error of its own.
        and claims.get("type") is not None
        and claims["aud"] == _AUDIENCES.get(str(claims["type"]), AUDIENCE)
    )
