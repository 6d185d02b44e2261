"""Recovery codes: hard to guess, easy to type."""

import re

from ragauth.security.recovery_codes import digest_code, new_code, normalise_code
from tests.cases import for_each


def test_a_code_has_sixty_bits_in_three_groups() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    for code in codes:
        assert re.fullmatch(r"([0-9a-hjkmnp-tv-z]{4}-){2}[0-9a-hjkmnp-tv-z]{4}", code)
        assert normalise_code(code) == code
    assert len(set("".join(codes))) == 33


@for_each(
    "typed",
    [
        "0a1b-2c3d-4e5f",
        "0A1B-2C3D-4E5F",
        "0a1b2c3d4e5f",
        "  0a1b 2c3d\t4e5f\n",
        "Oalb-2c3d-4e5f",
        "oAIb2c3d4e5f",
    ],
)
def test_however_it_is_typed_it_is_the_same(typed: str) -> None:
    assert normalise_code(typed) == "0a1b-2c3d-4e5f"


@for_each("typed", ["", "123456", "0a1b-2c3d-4e5", "0a1b-2c3d-4e5fg", "0a1b-2c3d-4e5u", "ж" * 12])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert normalise_code(typed) is None


def test_its_digest_depends_on_the_secret_of_the_account() -> None:
    one, other = (digest_code("0a1b-2c3d-4e5f", totp_secret=secret) for secret in ("AAAA", "BBBB"))
    assert len(one) == 32
    assert one != other
