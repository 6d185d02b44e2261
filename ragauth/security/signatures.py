"""ES256: key pairs, their public form and name, and signed tokens that are always the same.

The nonce of a signature comes from the key and the message (RFC 6979), so that the same claims
always make the same token, and no weak random number can give the key away. A token is a JWS in
the compact form with one fixed header; there is nothing to negotiate, so only `cryptography` is
needed, and no library for all of JOSE.
Sources: RFC 7515, 7517, 7518 section 3.4, 7638.
"""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

ALGORITHM = "ES256"

# Made here: an OpenSSL without RFC 6979 (before 3.2) shows itself at the start.
_DETERMINISTIC = ECDSA(SHA256(), deterministic_signing=True)
_VERIFYING = ECDSA(SHA256())
_NUMBER_BYTES = 32
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def sign_token(claims: Mapping[str, Any], *, kid: str, key: EllipticCurvePrivateKey) -> str:
    """A token with these claims, as a JWS in the compact form (RFC 7515 section 7.1)."""
    signed = f"{_encoded_header(kid)}.{_encode_json(claims)}"
    return f"{signed}.{_encode(sign(signed.encode(), key))}"


def find_kid(token: str) -> str | None:
    """The `kid` in a token's header, not verified; None unless the header says what ours says.

    So no token has a header with `jku`, `jwk`, `x5u`, `crit` or another algorithm. Raises
    ValueError, and RecursionError for JSON that is too deep.
    """
    header = json.loads(_decode(token.partition(".")[0]))
    kid = header.get("kid") if isinstance(header, dict) else None
    return kid if isinstance(kid, str) and header == _header(kid) else None


def read_claims(token: str, key: EllipticCurvePublicKey) -> dict[str, Any]:
    """The claims of a token that this key has signed; raises ValueError for any other."""
    signed, _, signature = token.rpartition(".")
    if not verify(signed.encode(), _decode(signature), key):
        raise ValueError("another signature")
    claims = json.loads(_decode(signed.partition(".")[2]))
    if not isinstance(claims, dict):
        raise ValueError("no claims")
    return claims


def sign(message: bytes, key: EllipticCurvePrivateKey) -> bytes:
    """The two numbers of a signature in 32 bytes each (RFC 7518 section 3.4)."""
    r, s = decode_dss_signature(key.sign(message, _DETERMINISTIC))
    return r.to_bytes(_NUMBER_BYTES) + s.to_bytes(_NUMBER_BYTES)


def verify(message: bytes, signature: bytes, key: EllipticCurvePublicKey) -> bool:
    """Whether the holder of the key's other half has signed this message."""
    if len(signature) != 2 * _NUMBER_BYTES:
        return False
    r, s = signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:]
    try:
        key.verify(encode_dss_signature(int.from_bytes(r), int.from_bytes(s)), message, _VERIFYING)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class KeyPair:
    """`private_key` is PKCS #8 in DER, in the clear: seal it before it is stored."""

    kid: str
    public_jwk: dict[str, str]
    private_key: bytes


def generate_key_pair() -> KeyPair:
    key = generate_private_key(SECP256R1())
    numbers = key.public_key().public_numbers()
    x, y = (_encode(number.to_bytes(_NUMBER_BYTES)) for number in (numbers.x, numbers.y))
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    kid = thumbprint(jwk)
    return KeyPair(
        kid=kid,
        public_jwk={**jwk, "kid": kid, "use": "sig", "alg": ALGORITHM},
        private_key=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    )


def thumbprint(jwk: dict[str, str]) -> str:
    """The name that follows from the public key alone (RFC 7638), so it names no other."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return _encode(hashlib.sha256(_to_json(members).encode()).digest())


def load_public_key(jwk: dict[str, Any]) -> EllipticCurvePublicKey:
    return _load_public_key(jwk["x"], jwk["y"])


@lru_cache(maxsize=64)
def _load_public_key(x: str, y: str) -> EllipticCurvePublicKey:
    """Raises ValueError for what is no point of the curve."""
    numbers = [int.from_bytes(_decode(number)) for number in (x, y)]
    return EllipticCurvePublicNumbers(numbers[0], numbers[1], SECP256R1()).public_key()


def load_private_key(private_key: bytes) -> EllipticCurvePrivateKey:
    return cast("EllipticCurvePrivateKey", load_der_private_key(private_key, password=None))


def _header(kid: str) -> dict[str, str]:
    return {"alg": ALGORITHM, "kid": kid, "typ": "JWT"}


@lru_cache(maxsize=64)
def _encoded_header(kid: str) -> str:
    return _encode_json(_header(kid))


def _encode_json(value: Mapping[str, Any]) -> str:
    return _encode(_to_json(value).encode())


def _encode(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Raises ValueError for what `_encode` would not have written."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(data) != text:
        raise ValueError("not base64url")
    return data
