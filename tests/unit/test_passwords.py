"""Passwords: what counts, what is refused, what is stored."""

import unicodedata
from types import SimpleNamespace

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragauth.security import passwords
from ragauth.security.passwords import (
    absent_hash,
    derive_key,
    derive_pepper,
    find_weakness,
    hash_password,
    verify_password,
)
from tests.cases import for_each

COST = 4
PEPPER = derive_pepper(b"x" * 32)


def is_accepted(presented: str, password: str) -> bool:
    return verify_password(presented, hash_password(password, PEPPER, COST), PEPPER, COST)


class TestHashes:
    @settings(max_examples=10)
    @given(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=127).filter(
            lambda password: len(unicodedata.normalize("NFKC", password)) <= passwords.MAX_LENGTH
        )
    )
    def test_the_password_and_no_other_is_accepted(self, password: str) -> None:
        stored = hash_password(password, PEPPER, COST)
        assert verify_password(password, stored, PEPPER, COST)
        assert not verify_password(password + "x", stored, PEPPER, COST)
        assert not verify_password(password[:-1], stored, PEPPER, COST)

    def test_every_character_above_72_bytes_counts(self) -> None:
        """S1: none is cut off."""
        for position in (72, 73, 100, 127):
            password = "a" * 128
            changed = password[:position] + "b" + password[position + 1 :]
            assert not is_accepted(changed, password)
        assert not is_accepted("ж" * 40, "ж" * 36)

    def test_what_follows_a_nul_counts(self) -> None:
        assert not is_accepted("secret\0one", "secret\0two")
        assert not is_accepted("secret", "secret\0two")
        assert is_accepted("secret\0two", "secret\0two")

    @for_each(
        ("one", "other"),
        [
            ("caf\N{LATIN SMALL LETTER E WITH ACUTE} noir", "cafe\N{COMBINING ACUTE ACCENT} noir"),
            ("o\N{LATIN SMALL LIGATURE FFI}ce hours", "office hours"),
            ("\N{FULLWIDTH LATIN SMALL LETTER A}bcdefgh", "abcdefgh"),
            (
                "\N{ANGSTROM SIGN}ngstrom unit",
                "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}ngstrom unit",
            ),
        ],
    )
    def test_spellings_that_nfkc_makes_equal_are_one(self, one: str, other: str) -> None:
        """S1: after NFKC."""
        assert unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)
        assert is_accepted(one, other)
        assert is_accepted(other, one)

    def test_case_counts(self) -> None:
        assert not is_accepted("Password one", "password one")

    def test_a_hash_is_bcrypt_of_the_asked_cost_and_never_twice_the_same(self) -> None:
        """S4: stored as bcrypt over a keyed pre-hash."""
        hashes = {hash_password("the same", PEPPER, 5) for _ in range(3)}
        assert len(hashes) == 3
        assert all(text.startswith("$2b$05$") and len(text) == 60 for text in hashes)

    def test_without_the_pepper_a_hash_is_worth_nothing(self) -> None:
        """S4: the pre-hash is keyed, and the scheme names the pepper."""
        other = derive_pepper(b"y" * 32)
        stored = hash_password("the same", PEPPER, COST)
        assert not verify_password("the same", stored, other, COST)
        assert PEPPER.scheme != other.scheme
        assert PEPPER.scheme.startswith("bcrypt-hmac-sha384:")
        assert PEPPER.secret.hex() not in PEPPER.scheme

    def test_nothing_matches_the_hash_of_nobody(self) -> None:
        for password in ("", ".", "password", "x" * 128):
            assert not verify_password(password, absent_hash(COST), PEPPER, COST)

    @pytest.mark.parametrize("stored_cost", [4, 5, 7])
    def test_a_wrong_password_takes_the_work_of_the_present_cost(
        self, stored_cost: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S6: a hash of an earlier, lower cost does not show itself by the time it takes."""
        stored = hash_password("the same", PEPPER, stored_cost)
        checked: list[int] = []

        def check(password: bytes, stored_hash: bytes) -> bool:
            checked.append(2 ** int(stored_hash[4:6]))
            return bcrypt.checkpw(password, stored_hash)

        monkeypatch.setattr(passwords, "bcrypt", SimpleNamespace(checkpw=check))
        assert not verify_password("another", stored, PEPPER, 7)
        assert sum(checked) == 2**7
        checked.clear()
        assert verify_password("the same", stored, PEPPER, 7)
        assert checked == [2**stored_cost]

    def test_a_stored_cost_that_would_hold_a_core_for_minutes_is_refused(self) -> None:
        stored = hash_password("the same", PEPPER, COST)
        assert not verify_password("the same", stored.replace("$04$", "$16$"), PEPPER, COST)
        assert not verify_password("the same", stored.replace("$04$", "$31$"), PEPPER, COST)

    def test_keys_for_different_purposes_are_different(self) -> None:
        keys = {derive_key(secret, use) for secret in (b"a" * 32, b"b" * 32) for use in ("x", "y")}
        assert len(keys) == 4
        assert all(len(key) == 32 for key in keys)


class TestFindWeakness:
    @for_each(
        "password",
        [
            "password",
            "12345678",
            "qwertyuiop",
            "PASSWORD",
            "iloveyou1",
            "\N{FULLWIDTH LATIN SMALL LETTER P}assword",
        ],
    )
    def test_well_known_passwords_are_refused_with_the_reason(self, password: str) -> None:
        """S3: well-known passwords."""
        assert "well-known" in (find_weakness(password, []) or "")

    @for_each(
        "password",
        [
            "your-secure-password",
            "secureP@ss123",
            "correct horse battery staple",
            "aaaaaaab",
            "ж" * 8,
        ],
    )
    def test_others_are_fine_whatever_they_are_made_of(self, password: str) -> None:
        """S2: no composition rules; the example passwords of the documentation pass."""
        assert find_weakness(password, ["ada@example.com", None, "Ada Lovelace"]) is None

    @pytest.mark.parametrize("password", ["ada@example.com", "ADA@Example.com", "ada lovelace"])
    def test_the_own_words_are_refused_in_any_case(self, password: str) -> None:
        """S3: the account's own words."""
        weakness = find_weakness(password, [" Ada@example.com ", None, "Ada Lovelace"])
        assert "your own" in (weakness or "")

    def test_an_own_word_within_a_longer_password_is_fine(self) -> None:
        assert find_weakness("ada lovelace 1815!", ["Ada Lovelace"]) is None

    def test_an_empty_own_word_refuses_nothing(self) -> None:
        assert find_weakness("unlikely enough", ["", " ", None]) is None
