"""Passwords: hashing and checking with this installation's pepper and cost.

Both take a good part of a second of one core: call them outside any transaction.
"""

from dataclasses import dataclass
from functools import lru_cache

from ragauth.extensions import settings
from ragauth.security import passwords
from ragauth.services.hashing import hashing_gate


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """A hash, and the scheme that it was made with."""

    hash: str
    scheme: str


def hash_password(password: str) -> StoredPassword:
    pepper = _pepper(settings().secret_key)
    cost = settings().bcrypt_cost
    hashed = hashing_gate.run(lambda: passwords.hash_password(password, pepper, cost))
    return StoredPassword(hashed, pepper.scheme)


def verify_password(password: str, stored: StoredPassword | None) -> bool:
    """Whether it is the password.

    Without a stored one (an account that does not exist) it takes as long and is False.
    """
    pepper = _pepper(settings().secret_key)
    is_known = stored is not None and stored.scheme == pepper.scheme
    stored_hash = stored.hash if stored and is_known else _absent_hash()
    cost = settings().bcrypt_cost
    return (
        hashing_gate.run(lambda: passwords.verify_password(password, stored_hash, pepper, cost))
        and is_known
    )


def renew_password(password: str, stored: StoredPassword) -> StoredPassword | None:
    """The right password hashed anew if its hash is of another cost than is set now, else None."""
    if passwords.cost_of(stored.hash) == settings().bcrypt_cost:
        return None
    return hash_password(password)


def _absent_hash() -> str:
    return passwords.absent_hash(settings().bcrypt_cost)


@lru_cache(maxsize=4)
def _pepper(secret_key: bytes) -> passwords.Pepper:
    return passwords.derive_pepper(secret_key)
