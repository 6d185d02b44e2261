"""Passwords: hashing and checking with this installation's pepper and cost.

Both take a large part of a second of CPU time: call them outside any transaction. `share` tells
which network and account the hash is for. Both raise TooManyHashes.
"""

from dataclasses import dataclass
from functools import lru_cache

from ragauth.extensions import settings
from ragauth.security import passwords
from ragauth.services.accounts.hashing_gate import Share, hashing_gate


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """A hash, and the scheme that it was made with."""

    hash: str
    scheme: str


def hash_password(password: str, share: Share) -> StoredPassword:
    pepper = _peppers()[0]
    cost = settings().bcrypt_cost
    hashed = hashing_gate.run(lambda: passwords.hash_password(password, pepper, cost), share)
    return StoredPassword(hashed, pepper.scheme)


def verify_password(password: str, stored: StoredPassword | None, share: Share) -> bool:
    """Whether the presented password is the stored one.

    Without a stored password (the account does not exist), or with one whose pepper is not
    configured, it takes as long and returns False.
    """
    known = {pepper.scheme: pepper for pepper in _peppers()}
    if stored is None or stored.scheme not in known:
        stored = StoredPassword(passwords.absent_hash(settings().bcrypt_cost), next(iter(known)))
    pepper, stored_hash = known[stored.scheme], stored.hash
    cost = settings().bcrypt_cost
    return hashing_gate.run(
        lambda: passwords.verify_password(password, stored_hash, pepper, cost), share
    )


def renew_password(password: str, stored: StoredPassword, share: Share) -> StoredPassword | None:
    """Hash a right password again if its cost or pepper is not the configured one; else None."""
    is_current = stored.scheme == _peppers()[0].scheme
    if is_current and passwords.cost_of(stored.hash) == settings().bcrypt_cost:
        return None
    return hash_password(password, share)


def _peppers() -> list[passwords.Pepper]:
    """The pepper to hash with, then those of the old secrets."""
    return [_pepper(secret) for secret in (settings().secret_key, *settings().old_secret_keys)]


@lru_cache(maxsize=32)
def _pepper(secret_key: bytes) -> passwords.Pepper:
    return passwords.derive_pepper(secret_key)
