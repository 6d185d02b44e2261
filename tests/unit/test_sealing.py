"""What is sealed can be opened with its secret, in its place, and in no other way."""

import pytest

from ragauth.security.sealing import SealBroken, seal, unseal
from tests.cases import for_each

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_sealed_value_opens_with_its_secret_and_says_nothing_without() -> None:
    sealed = seal(b"a private key", secret_key=OLD, purpose="signing", context=b"row 1")
    assert b"private" not in sealed
    opened = unseal(sealed, secret_keys=[OLD], purpose="signing", context=b"row 1")
    assert opened == b"a private key"


def test_two_seals_of_one_value_differ() -> None:
    assert seal(b"x", secret_key=OLD, purpose="p") != seal(b"x", secret_key=OLD, purpose="p")


def test_an_old_secret_still_opens_beside_the_new_one() -> None:
    sealed = seal(b"x", secret_key=OLD, purpose="p")
    assert unseal(sealed, secret_keys=[NEW, OLD], purpose="p") == b"x"


@pytest.mark.parametrize(
    ("secret", "purpose", "context"),
    [(NEW, "p", b"row"), (OLD, "another", b"row"), (OLD, "p", b"another row")],
)
def test_another_secret_purpose_or_row_does_not_open_it(
    secret: bytes, purpose: str, context: bytes
) -> None:
    sealed = seal(b"x", secret_key=OLD, purpose="p", context=b"row")
    with pytest.raises(SealBroken):
        unseal(sealed, secret_keys=[secret], purpose=purpose, context=context)


@for_each("damage", [lambda s: s[:-1], lambda s: s[:5], lambda s: b"", bytes.swapcase])
def test_a_damaged_value_is_refused(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(SealBroken):
        unseal(damage(seal(b"x" * 40, secret_key=OLD, purpose="p")), secret_keys=[OLD], purpose="p")
