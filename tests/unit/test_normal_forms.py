"""A normal form is made of a short text alone, and no text that could have one is refused (S37)."""

import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress

import pytest

from ragauth.security.emails import canonical_email
from ragauth.security.normal_forms import TextTooLong, fold, normalise
from tests.cases import for_each
from tests.costs import cpu_seconds

JOINED = "\N{GREEK SMALL LETTER ALPHA WITH PSILI AND VARIA AND YPOGEGRAMMENI}"
WORST = ["\u0315\u0316", "\u0344\u0316", "\u0f73", "\ufdfa", "\u0345\u0300", "\U0001d164"]


def test_no_character_is_joined_of_more_than_four() -> None:
    """S37: so a text of over four times the length has no normal form of that length."""
    lengths = [
        len(unicodedata.normalize("NFD", character))
        for begin in range(0, sys.maxunicode, 256)
        # Most of Unicode has no other form at all.
        if (block := "".join(map(chr, range(begin, begin + 256))))
        != unicodedata.normalize("NFD", block)
        for character in block
    ]
    assert max(lengths) == 4


def test_the_normal_form_counts_and_not_what_was_sent() -> None:
    decomposed = unicodedata.normalize("NFD", JOINED)
    assert len(decomposed) == 4
    assert normalise(decomposed * 128, longest=128) == JOINED * 128
    assert fold("STRASSE", longest=7) == fold("straße", longest=7)
    for text in (JOINED * 129, decomposed * 128 + "a", "\ufb03" * 43, "a" * 129):
        for make in (normalise, fold):
            with pytest.raises(TextTooLong):
                make(text, longest=128)


@for_each("unit", WORST)
def test_the_worst_text_costs_a_fraction_of_a_hash(unit: str) -> None:
    """S37: it is looked at before it is normalised."""

    def prepare(length: int) -> Callable[[], object]:
        text = "a" + unit * (length // len(unit))

        def work() -> None:
            for make in (fold, normalise):
                with suppress(TextTooLong):
                    make(text, longest=128)
            with suppress(ValueError):
                canonical_email(f"{text}@example.com")

        return work

    for length in (100, 500, 1000, 64_000):
        assert cpu_seconds(prepare, length, rounds=3) < 0.03
