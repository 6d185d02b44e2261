"""The cheap hashes of the tests' services: as good as bcrypt's for everything but an attack."""

import bcrypt
import pytest

from tests.servers.quick_hashes import hashing_quickly

SALT = b"$2b$12$" + b"abcdefghijklmnopqrstuu"


def test_they_have_the_form_of_their_cost_and_tell_right_from_wrong() -> None:
    with hashing_quickly():
        hashed = bcrypt.hashpw(b"right", SALT)
        assert hashed.startswith(SALT[:-1])
        assert len(hashed) == 60
        assert bcrypt.checkpw(b"right", hashed)
        assert not bcrypt.checkpw(b"wrong", hashed)


@pytest.mark.parametrize("salt", [b"", b"nonsense", SALT[:-1]])
def test_what_bcrypt_refuses_they_refuse(salt: bytes) -> None:
    with hashing_quickly(), pytest.raises(ValueError, match=r".+"):
        bcrypt.hashpw(b"right", salt)


def test_after_them_it_is_bcrypts_own() -> None:
    with hashing_quickly():
        quick = bcrypt.hashpw(b"right", b"$2b$05$" + SALT[7:])
    assert not bcrypt.checkpw(b"right", quick)
    assert bcrypt.hashpw(b"right", b"$2b$05$" + SALT[7:]) != quick
