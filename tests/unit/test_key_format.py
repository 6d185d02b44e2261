"""The form of a key, held against an independent computation."""

import re
import string
import zlib
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from ragauth.security import key_format
from ragauth.security.key_format import TAGS, checksum, is_well_formed, new_key
from tests.cases import for_each
from tests.factories.api_keys import base62, mistyped, unknown_key

DIGITS = "0123456789"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FORM = re.compile(r"rag_(live|test|pub|svc)_[0-9A-Za-z]{30}[0-9A-Za-z]{6}")


class TestNewKeys:
    @for_each("tag", TAGS)
    def test_a_new_key_has_the_form_and_is_recognised(self, tag: str) -> None:
        key = new_key("rag", tag)
        assert FORM.fullmatch(key)
        assert key.startswith(f"rag_{tag}_")
        assert is_well_formed(key, "rag")

    def test_the_brand_is_the_installations_own(self) -> None:
        key = new_key("acme2", "live")
        assert key.startswith("acme2_live_")
        assert is_well_formed(key, "acme2")
        assert not is_well_formed(key, "rag")

    def test_the_random_part_has_178_bits_of_all_62_characters(self) -> None:
        """S19: at least 128 bits."""
        bodies = [new_key("rag", "live")[9:39] for _ in range(500)]
        assert len(set(bodies)) == len(bodies)
        assert set("".join(bodies)) == set(string.ascii_letters + string.digits)
        for position in range(30):
            assert len({body[position] for body in bodies}) > 50

    def test_the_prefix_shows_four_random_characters(self) -> None:
        assert key_format.display_prefix("rag_live_a1b2" + "x" * 32) == "rag_live_a1b2"
        assert key_format.display_prefix("rag_pub_a1b2" + "x" * 32) == "rag_pub_a1b2"


class TestUnbrandedKeys:
    """Those of a compat face start as that vendor's do, whatever the brand."""

    def test_one_is_the_vendors_prefix_and_the_same_36_characters(self) -> None:
        """S19: at least 128 bits."""
        key = new_key("acme", key_format.RST)
        assert re.fullmatch("rst_[0-9A-Za-z]{36}", key)
        for brand in ("acme", "rag", "rst"):
            assert is_well_formed(key, brand)
            assert not is_well_formed(mistyped(key), brand)
            assert key_format.resembles_key(key, brand)

    def test_its_display_prefix_says_what_it_is(self) -> None:
        assert key_format.display_prefix("rst_a1b2" + "x" * 32) == "rst_a1b2"
        assert key_format.unbranded_tag("rst_a1b2", "rag") == "rst"
        assert key_format.unbranded_tag("rag_live_a1b2", "rag") is None

    def test_the_vendors_own_shorter_keys_can_only_be_foreign(self) -> None:
        theirs = "rst_a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5"
        assert not is_well_formed(theirs, "rag")
        assert key_format.is_foreign(theirs, "rag")
        assert not key_format.is_foreign(mistyped(new_key("rag", "rst")), "rag")


class TestChecksums:
    @given(st.text(alphabet=string.ascii_letters + string.digits + "_", max_size=60))
    def test_it_is_zlibs_crc_in_base62(self, text: str) -> None:
        assert checksum(text) == base62(zlib.crc32(text.encode()))

    def test_a_small_one_is_padded_with_zeros(self) -> None:
        assert checksum("") == "000000"
        small = next(text for n in range(10**6) if zlib.crc32(text := str(n).encode()) < 62**4)
        assert re.fullmatch("00[0-9A-Za-z]{4}", checksum(small.decode()))

    def test_the_digits_are_in_the_contracts_order(self) -> None:
        value = zlib.crc32(b"rag_live_")
        digits = DIGITS + UPPER + UPPER.lower()
        told = 0
        for digit in checksum("rag_live_"):
            told = told * 62 + digits.index(digit)
        assert told == value


class TestIsWellFormed:
    @given(st.sampled_from(TAGS), st.integers(0, 61), st.integers(9, 40))
    def test_one_wrong_character_is_found(self, tag: str, letter: int, position: int) -> None:
        key = unknown_key(f"rag_{tag}_")
        other = (string.digits + string.ascii_letters)[letter]
        position = min(position, len(key) - 1)
        changed = key[:position] + other + key[position + 1 :]
        assert is_well_formed(changed, "rag") == (changed == key)

    def test_what_only_looks_like_a_key_is_refused(self) -> None:
        key = unknown_key()
        assert is_well_formed(key, "rag")
        for text in (
            *("", "rag_live_", key[:-1], key + "0", f" {key}", f"{key}\n", key.swapcase()),
            *(mistyped(key), key.replace("live", "prod"), key[:20] + "é" + key[21:], key + "\0"),
            "rag_live_" + "٣" * 36,
        ):
            assert not is_well_formed(text, "rag")

    @given(st.text())
    def test_no_text_makes_it_fail(self, text: str) -> None:
        assert not is_well_formed(text, "rag")
        assert not is_well_formed(f"rag_live_{text}", "rag")


def test_the_digest_is_sha256_of_the_whole_key() -> None:
    """S19: only the digest is stored."""
    key = unknown_key()
    assert key_format.digest_key(key) == sha256(key.encode()).digest()
    assert len(key_format.digest_key("\ud800")) == 32


def test_a_key_is_told_from_other_credentials_by_its_beginning() -> None:
    assert key_format.resembles_key("rag_live_x", "rag")
    assert key_format.resembles_key(unknown_key("rag_svc_"), "rag")
    assert not key_format.resembles_key("rag_other_x", "rag")
    assert not key_format.resembles_key("a.b.c", "rag")
