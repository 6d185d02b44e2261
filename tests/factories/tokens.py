"""Tokens taken apart and put together by hand (RFC 7515), without the library under test."""

import base64
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from flask import Flask

from ragauth.services.sessions.signing_keys import current_ring, private_key_of

_HASHES = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}


def split_token(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims."""
    header, claims, _signature = token.split(".")
    return _decoded(header), _decoded(claims)


def signing_key(app: Flask) -> ec.EllipticCurvePrivateKey:
    """The installation's own signing key: what an attacker does not have."""
    with app.app_context():
        return private_key_of(list(current_ring().live().values())[-1])


def sign(header: dict[str, Any], claims: Any, key: ec.EllipticCurvePrivateKey) -> str:
    """A token with a valid ECDSA signature, whatever its header says."""
    return sign_bytes(header, json.dumps(claims).encode(), key)


def sign_bytes(header: dict[str, Any], payload: bytes, key: ec.EllipticCurvePrivateKey) -> str:
    signed = f"{_encoded(header)}.{_base64url(payload)}"
    bits = key.curve.key_size
    numbers = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(_HASHES[bits])))
    signature = b"".join(number.to_bytes((bits + 7) // 8) for number in numbers)
    return f"{signed}.{_base64url(signature)}"


def sign_hmac(header: dict[str, Any], claims: Any, secret: bytes, *, digest: str = "sha256") -> str:
    """A token with a valid HMAC, whatever its header says."""
    signed = f"{_encoded(header)}.{_encoded(claims)}"
    return f"{signed}.{_base64url(hmac.digest(secret, signed.encode(), digest))}"


def with_signature(token: str, signature: bytes) -> str:
    return f"{token.rpartition('.')[0]}.{_base64url(signature)}"


def signature_of(token: str) -> bytes:
    return _from_base64url(token.rpartition(".")[2])


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{_encoded(header)}.{_encoded(claims)}."


def _encoded(value: Any) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(_from_base64url(part))
    return value


def _from_base64url(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
