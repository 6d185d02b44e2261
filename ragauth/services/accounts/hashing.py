"""Passwords: hashing and checking with this installation's pepper and cost.

Both take a good part of a second of one core: call them outside any transaction. `share` tells
whose use of the places to hash it is. Both raise TooManyHashes.
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
    """Whether it is the password.

    Without a stored one (an account that does not exist), or with one of a secret that is not
    set, it takes as long and is False.
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
    """The right password hashed anew if its cost or pepper is not what is set now, else None."""
    is_current = stored.scheme == _peppers()[0].scheme
    if is_current and passwords.cost_of(stored.hash) == settings().bcrypt_cost:
        return None
    return hash_password(password, share)


def _peppers() -> list[passwords.Pepper]:
    """The one to hash with, and those of the secrets that were in use before."""
    return [_pepper(secret) for secret in (settings().secret_key, *settings().old_secret_keys)]


@lru_cache(maxsize=32)
def _pepper(secret_key: bytes) -> passwords.Pepper:
    return passwords.derive_pepper(secret_key)
