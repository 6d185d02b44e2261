"""Passwords: hashing and checking with this installation's pepper and cost.

Both take a good part of a second of one core: call them outside any transaction.
"""

from dataclasses import dataclass
from functools import lru_cache

from ragauth.extensions import settings
from ragauth.security import passwords


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """A hash, and the scheme that it was made with."""

    hash: str
    scheme: str


def hash_password(password: str) -> StoredPassword:
    pepper = _pepper(settings().secret_key)
    hashed = passwords.hash_password(password, pepper, settings().bcrypt_cost)
    return StoredPassword(hashed, pepper.scheme)


def verify_password(password: str, stored: StoredPassword | None) -> bool:
    """Whether it is the password.

    Without a stored one (an account that does not exist) it takes as long and is False.
    """
    pepper = _pepper(settings().secret_key)
    if stored is None or stored.scheme != pepper.scheme:
        passwords.verify_password(password, passwords.absent_hash(settings().bcrypt_cost), pepper)
        return False
    return passwords.verify_password(password, stored.hash, pepper)


@lru_cache(maxsize=4)
def _pepper(secret_key: bytes) -> passwords.Pepper:
    return passwords.derive_pepper(secret_key)
