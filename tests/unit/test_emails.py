"""Addresses: what is one, and when two are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragauth.security.emails import canonical_email, canonical_username
from tests.cases import for_each


class TestCanonicalEmail:
    @for_each(
        ("one", "other"),
        [
            ("ada@example.com", " Ada@EXAMPLE.com\n"),
            ("ada@example.com", "\N{FULLWIDTH LATIN SMALL LETTER A}da@example.com"),
            ("stra\N{LATIN SMALL LETTER SHARP S}e@example.com", "STRASSE@example.com"),
            (
                "ren\N{LATIN SMALL LETTER E WITH ACUTE}@example.com",
                "rene\N{COMBINING ACUTE ACCENT}@example.com",
            ),
            ("a@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", "a@xn--bcher-kva.example"),
        ],
    )
    def test_two_spellings_of_one_address_are_equal(self, one: str, other: str) -> None:
        assert canonical_email(one) == canonical_email(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("ada@example.com", "ada@example.org"),
            ("a.da@example.com", "ada@example.com"),
            ("ada+x@example.com", "ada@example.com"),
        ],
    )
    def test_different_addresses_differ(self, one: str, other: str) -> None:
        assert canonical_email(one) != canonical_email(other)

    @for_each("text", ["", "ada", "ada@localhost", "ada@example", "@x.com", "a b@x.com"])
    def test_what_is_no_address_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="Not a valid email address"):
            canonical_email(text)

    def test_addresses_for_tests_are_fine(self) -> None:
        assert canonical_email("ada@rag.test") == "ada@rag.test"

    @given(st.emails())
    def test_the_canonical_form_is_its_own(self, email: str) -> None:
        try:
            canonical = canonical_email(email)
        except ValueError:
            return
        assert canonical_email(canonical) == canonical

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_any_text_is_an_address_or_a_value_error(self, text: str) -> None:
        for candidate in (text, f"{text}@example.com", f"ada@{text}.com"):
            try:
                canonical = canonical_email(candidate)
            except ValueError:
                continue
            assert "@" in canonical


def test_usernames_differ_without_regard_to_case() -> None:
    assert canonical_username("AdA1815") == canonical_username("ada1815") == "ada1815"
