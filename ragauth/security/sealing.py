"""Sealing: for values that ragauth reads again, and a thief of the database alone cannot.

AES-256-GCM under a key derived from the secret for one purpose (HKDF, RFC 5869). A sealed text
names the secret that sealed it, so a new secret can take over while the old one still opens.
"""

import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ragauth.security.passwords import derive_key

_ID_BYTES = 8
_NONCE_BYTES = 12


class SealBroken(Exception):
    """Sealed with a secret that is not known here, or damaged."""


def seal(plain: bytes, *, secret_key: bytes, purpose: str, context: bytes = b"") -> bytes:
    """The sealed form: key id (8 bytes), nonce (12), cipher text and tag.

    `context` (the id of the row) must be the same when it is opened, so that a sealed text is of
    no use in another row.
    """
    key = derive_key(secret_key, purpose)
    nonce = os.urandom(_NONCE_BYTES)
    return _key_id(key) + nonce + AESGCM(key).encrypt(nonce, plain, context)


def is_sealed_with(sealed: bytes, *, secret_key: bytes, purpose: str) -> bool:
    """Whether it says that it was sealed with this secret."""
    return sealed[:_ID_BYTES] == _key_id(derive_key(secret_key, purpose))


def unseal(
    sealed: bytes, *, secret_keys: Sequence[bytes], purpose: str, context: bytes = b""
) -> bytes:
    """What was sealed with one of the secrets; raises SealBroken."""
    key_id, nonce = sealed[:_ID_BYTES], sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
    for secret_key in secret_keys:
        key = derive_key(secret_key, purpose)
        if _key_id(key) == key_id:
            try:
                return AESGCM(key).decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], context)
            except InvalidTag as error:
                raise SealBroken("a sealed value is damaged") from error
    raise SealBroken("a value is sealed with a secret that is not set")


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:_ID_BYTES]
