"""ES256: key pairs, their public form and name, and a signature that is always the same.

PyJWT signs with a random nonce; here the nonce comes from the key and the message (RFC 6979), so
that the same claims always make the same token, and no weak random number can give the key away.
Sources: RFC 7515, 7517, 7518 section 3.4, 7638.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import ECAlgorithm
from jwt.utils import der_to_raw_signature

ALGORITHM = "ES256"

# Made here: an OpenSSL without RFC 6979 (before 3.2) shows itself at the start.
_DETERMINISTIC = ECDSA(SHA256(), deterministic_signing=True)


class DeterministicES256(ECAlgorithm):
    def __init__(self) -> None:
        super().__init__(SHA256, SECP256R1)

    def sign(self, msg: bytes, key: EllipticCurvePrivateKey) -> bytes:
        return der_to_raw_signature(key.sign(msg, _DETERMINISTIC), key.curve)


# For the whole process: Flask-JWT-Extended signs with PyJWT's own, global set of algorithms.
jwt.unregister_algorithm(ALGORITHM)
jwt.register_algorithm(ALGORITHM, DeterministicES256())


@dataclass(frozen=True, slots=True)
class KeyPair:
    """`private_key` is PKCS #8 in DER, in the clear: seal it before it is stored."""

    kid: str
    public_jwk: dict[str, str]
    private_key: bytes


def generate_key_pair() -> KeyPair:
    key = generate_private_key(SECP256R1())
    jwk: dict[str, str] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    kid = thumbprint(jwk)
    return KeyPair(
        kid=kid,
        public_jwk={**jwk, "kid": kid, "use": "sig", "alg": ALGORITHM},
        private_key=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    )


def thumbprint(jwk: dict[str, str]) -> str:
    """The name that follows from the public key alone (RFC 7638), so it names no other."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def load_public_key(jwk: dict[str, Any]) -> EllipticCurvePublicKey:
    return _load_public_key(jwk["x"], jwk["y"])


@lru_cache(maxsize=64)
def _load_public_key(x: str, y: str) -> EllipticCurvePublicKey:
    """Raises jwt.InvalidKeyError for what is no point of the curve."""
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    return cast("EllipticCurvePublicKey", ECAlgorithm.from_jwk(jwk))


def load_private_key(private_key: bytes) -> EllipticCurvePrivateKey:
    return cast("EllipticCurvePrivateKey", load_der_private_key(private_key, password=None))
