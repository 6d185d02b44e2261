"""Passwords: bcrypt over a keyed pre-hash, so that every character of any length counts.

NFKC, then base64(HMAC-SHA-384(pepper, password)): 64 bytes without a NUL, below bcrypt's limit
of 72. The scheme is stored beside the hash and names the pepper. Source: OWASP ASVS 5.0 V6.2.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import bcrypt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ragauth.security.normal_forms import TextTooLong, fold, normalise

MIN_LENGTH = 8
MAX_LENGTH = 128
_MAX_STORED_COST = 15


@dataclass(frozen=True, slots=True)
class Pepper:
    """The secret that is mixed into every password before it is hashed."""

    id: str
    secret: bytes

    @property
    def scheme(self) -> str:
        return f"bcrypt-hmac-sha384:{self.id}"


def derive_key(secret_key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose alone (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret_key)


def derive_pepper(secret_key: bytes) -> Pepper:
    secret = derive_key(secret_key, "ragauth password pepper")
    return Pepper(hashlib.sha256(secret).hexdigest()[:8], secret)


def normalise_password(password: str) -> str:
    """Raises TextTooLong for one that has more than 128 code points after NFKC."""
    return normalise(password, longest=MAX_LENGTH)


def hash_password(password: str, pepper: Pepper, cost: int) -> str:
    """The bcrypt hash; takes some 0.2 s of a core at cost 12. Raises TextTooLong."""
    prehash = _prehash(normalise_password(password), pepper)
    return bcrypt.hashpw(prehash, bcrypt.gensalt(cost)).decode("ascii")


def verify_password(password: str, stored_hash: str, pepper: Pepper, cost: int) -> bool:
    """Whether it is the password; what is not takes at least as long as it does at `cost`.

    A stored cost above 15 is refused: it would hold a core for minutes.
    """
    stored_cost = cost_of(stored_hash)
    if stored_cost > _MAX_STORED_COST:
        return False
    try:
        presented = normalise_password(password)
    except TextTooLong:
        # No stored password is so long. Hash all the same: every refusal takes equally long.
        presented = password
    prehash = _prehash(presented, pepper)
    if bcrypt.checkpw(prehash, stored_hash.encode("ascii")):
        return True
    # The time must not tell a hash of an earlier, lower cost from no account at all. Each step
    # doubles the work: 2^c + (2^c + 2^(c+1) + ... + 2^(cost-1)) = 2^cost.
    for missing_cost in range(stored_cost, cost):
        bcrypt.checkpw(prehash, absent_hash(missing_cost).encode("ascii"))
    return False


def cost_of(stored_hash: str) -> int:
    return int(stored_hash[4:6])


def absent_hash(cost: int) -> str:
    """A hash that no password has, for an account that does not exist: as slow as a real one."""
    return f"$2b${cost:02d}${'.' * 53}"


def find_weakness(password: str, own_words: list[str | None]) -> str | None:
    """Why a password that is long enough is refused all the same, or None."""
    folded = _fold(password)
    if folded is None:
        return None
    if folded in _well_known():
        return "This password is on a list of well-known passwords"
    if any(folded == _fold(word.strip()) for word in own_words if word):
        return "The password may not be your own email, username or name"
    return None


def _fold(text: str) -> str | None:
    """A password, or what one may not be, without regard to case; None for a longer text."""
    try:
        return fold(text, longest=MAX_LENGTH)
    except TextTooLong:
        return None


@cache
def _well_known() -> frozenset[str]:
    """Read at the first use from zxcvbn's file of lists.

    To import the package would build its matchers and keep its lists of names and words as well.
    """
    package = find_spec("zxcvbn")
    if package is None or package.origin is None:
        raise RuntimeError("zxcvbn is not installed")
    spec = spec_from_file_location("lists", Path(package.origin).with_name("frequency_lists.py"))
    if spec is None or spec.loader is None:
        raise RuntimeError("zxcvbn has no frequency_lists.py")
    lists = module_from_spec(spec)
    spec.loader.exec_module(lists)
    return frozenset(lists.FREQUENCY_LISTS["passwords"])


def _prehash(normal_password: str, pepper: Pepper) -> bytes:
    message = normal_password.encode("utf-8")
    return base64.b64encode(hmac.digest(pepper.secret, message, "sha384"))
