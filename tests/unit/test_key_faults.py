"""What is wrong with a text that should be a key."""

import re
import zlib

from hypothesis import given
from hypothesis import strategies as st

from ragauth.security.key_faults import explain_no_key
from tests.cases import for_each
from tests.factories.api_keys import base62, mistyped

_UNCHECKED = "rag_live_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5"
KEY = _UNCHECKED + base62(zlib.crc32(_UNCHECKED.encode()))
IN_QUOTES = "the key is in quotes"
WITH_A_BLANK = "there is a space or a line break in the key"
NOT_ASCII = "the key has other characters than ASCII's"
ANOTHERS = "this looks like a key of another service"
OF_ANOTHER_ALPHABET = "only letters and digits may follow rag_live_"


@for_each(
    ("text", "why"),
    [
        ("", "it is empty"),
        *(
            (text, IN_QUOTES)
            for text in (f'"{KEY}"', f"'{KEY}'", f"`{KEY}`", f'"{KEY}', f"“{KEY}”")
        ),
        *((text, WITH_A_BLANK) for text in (f" {KEY}", f"{KEY}\n", f"{KEY[:20]} {KEY[20:]}")),
        (f"Bearer {KEY}", WITH_A_BLANK),
        *((text, NOT_ASCII) for text in (f"{KEY}\0", "\ud800", KEY[:20] + "é" + KEY[21:])),
        (KEY[:29], "36 characters after rag_live_ expected, 20 found"),
        (KEY[:13], "36 characters after rag_live_ expected, 4 found"),
        ("rag_test_", "36 characters after rag_test_ expected, 0 found"),
        (KEY + "x" * 60_000, "36 characters after rag_live_ expected, 60036 found"),
        ("rst_abc", "36 characters after rst_ expected, 3 found"),
        (f"{KEY[:-1]}-", OF_ANOTHER_ALPHABET),
        (
            mistyped(KEY),
            "its last six characters do not fit the others, so one of them is mistyped",
        ),
        ("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhY2NfMSJ9.c2ln", "this is a token, not an API key"),
        *(
            (text, ANOTHERS)
            for text in (
                *("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "sk-proj-abcdefghijklmnop"),
                *("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "AKIAIOSFODNN7EXAMPLE"),
                *("SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9", "acme_live_" + "x" * 36),
                *("123e4567-e89b-12d3-a456-426614174000", "9f86d081884c7d659a2feaa0c55ad015"),
            )
        ),
        *((text, None) for text in (KEY, "garbage", "x", "hunter2hunter2hunter2", "@" * 5_000)),
    ],
)
def test_the_cause_is_named(text: str, why: str | None) -> None:
    assert explain_no_key(text, "rag") == why


def test_the_brand_is_the_installations_own() -> None:
    assert (
        explain_no_key("acme_live_x", "acme") == "36 characters after acme_live_ expected, 1 found"
    )


@given(st.text() | st.text().map(lambda text: f"rag_live_{text}"))
def test_it_fits_into_a_header_and_repeats_nothing(text: str) -> None:
    """S27: no key in an answer, nor a part of one (RFC 6750 section 3 for the characters)."""
    why = explain_no_key(text, "rag")
    if why is not None:
        assert re.fullmatch(r"[ !#-\[\]-~]{1,100}", why)
        secret = text.removeprefix("rag_live_")
        assert len(secret) < 10 or secret not in why
