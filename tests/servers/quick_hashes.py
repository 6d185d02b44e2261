"""bcrypt at its lowest cost behind hashes of any cost, for services whose hashes nobody measures.

No setting allows less than cost 10, which is most of what a login takes; a test that logs in to
look at something else need not wait for it. Such hashes are only good among themselves.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import bcrypt

# In a server's environment it says that the server hashes so.
QUICK_HASHES = "TESTS_QUICK_HASHES"
_LOWEST = b"04"
_hash = bcrypt.hashpw


def hash_quickly() -> None:
    """Let this process do so from now on."""
    bcrypt.hashpw, bcrypt.checkpw = _hash_quickly, _check_quickly


@contextmanager
def hashing_quickly() -> Iterator[None]:
    """Let this process do so until the block ends."""
    with (
        patch.object(bcrypt, "hashpw", _hash_quickly),
        patch.object(bcrypt, "checkpw", _check_quickly),
    ):
        yield


def _hash_quickly(password: bytes, salt: bytes) -> bytes:
    """`salt` is `$2b$`, two digits of the cost, and the rest."""
    hashed = _hash(password, salt[:4] + _LOWEST + salt[6:])
    return hashed[:4] + salt[4:6] + hashed[6:]


def _check_quickly(password: bytes, hashed_password: bytes) -> bool:
    return hmac.compare_digest(_hash_quickly(password, hashed_password), hashed_password)
