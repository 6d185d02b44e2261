"""Tokens taken apart and put together by hand (RFC 7515), without the library under test."""

import base64
import hashlib
import hmac
import json
from typing import Any

from ragauth.security.passwords import derive_key


def split_token(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims."""
    header, claims, _signature = token.split(".")
    return _decoded(header), _decoded(claims)


def signing_secret(secret_key: bytes) -> bytes:
    """The installation's own signing secret: what an attacker does not have."""
    return derive_key(secret_key, "ragauth token signature")


def sign(header: dict[str, Any], claims: Any, secret: bytes, *, digest: str = "sha256") -> str:
    """A token with a valid HMAC, whatever its header says."""
    signed = f"{_encoded(header)}.{_encoded(claims)}"
    signature = hmac.digest(secret, signed.encode(), getattr(hashlib, digest))
    return f"{signed}.{_base64url(signature)}"


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{_encoded(header)}.{_encoded(claims)}."


def _encoded(value: Any) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value
