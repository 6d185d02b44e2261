"""Which characters deceive who reads a text (S46)."""

import time
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ragauth.security.plain_text import escape_deceptive, find_deceptive, strip_deceptive
from tests.cases import for_each

JOINERS = "\u200c\u200d"
HONEST = [
    *("", "Ada Lovelace", "Jos\u00e9", "O'Brien-\u0160m\u00edd", "a\u0301", "a\u00a0b", "a\\x1bb"),
    *("\u674e\u5c0f\u9f8d", "\u3055\u304f\u3089\u3000\u82b1", "\u05e9\u05e8\u05d4", "\ue000"),
    # Kanji with a selector, as they stand in registers of families; Mongolian.
    *("\u845b\U000e0100\u57ce", "\u182e\u1823\u180b\u182d"),
    # Persian; its suffix behind a Latin word; the scripts of India, at the end of a word too.
    *("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "PDF\u200c\u0647\u0627"),
    *("\u0915\u094d\u200d\u0937", "\u0d30\u0d2e\u0d47\u0d36\u0d28\u0d4d\u200d"),
    *("\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0926\u0941\u200c\u0916"),
    # Emoji: a family, a heart, one on fire, a keycap, a rainbow, an astronaut, one of Unicode 15.
    *("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f", "\u2764\ufe0f\u200d\U0001f525"),
    *("1\ufe0f\u20e3", "#\ufe0f\u20e3", "\u00a9\ufe0f", "\U0001f3f3\ufe0f\u200d\U0001f308"),
    *("\U0001f469\U0001f3fd\u200d\U0001f680", "\U0001fae8", "\U0001f1ea\U0001f1fa"),
]
DECEPTIVE = {
    "a\x1b[2Jb": "\x1b",
    "a\rb": "\r",
    "a\nb": "\n",
    "a\tb": "\t",
    "a\x00b": "\x00",
    "a\x7fb": "\x7f",
    "a\x9b31mb": "\x9b",
    "a\x85b": "\x85",
    "a\u2028b": "\u2028",
    "a\u2029b": "\u2029",
    "\u202egnp.exe": "\u202e",
    "a\u2066b": "\u2066",
    "a\u2069b": "\u2069",
    "a\u200eb": "\u200e",
    "a\u200fb": "\u200f",
    "a\u061cb": "\u061c",
    "a\u200bb": "\u200b",
    "a\u2060b": "\u2060",
    "a\ufeffb": "\ufeff",
    "a\u00adb": "\u00ad",
    "a\u180eb": "\u180e",
    "a\ufff9b": "\ufff9",
    "a\u034fb": "\u034f",
    "\u3164": "\u3164",
    "\U000e0041": "\U000e0041",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f": "\U000e0067",
    "a\ud800b": "\ud800",
    "a\uffffb": "\uffff",
    "a\U0010fffeb": "\U0010fffe",
    # Joiners and selectors that join and vary nothing.
    "pay\u200dpal": "\u200d",
    "pay\u200cpal": "\u200c",
    "\u200da": "\u200d",
    "a\u200d": "\u200d",
    "\u0639\u200d\u200d\u0631": "\u200d",
    "\u0639 \u200c \u0631": "\u200c",
    "\U0001f468\u200d": "\u200d",
    "\u044f\u200d\u044f": "\u200d",
    "a\ufe0f": "\ufe0f",
    "\ufe0fa": "\ufe0f",
    "1\ufe0f2": "\ufe0f",
    "\u2764\ufe0f\ufe0f": "\ufe0f",
    "\u845b\U000e0100\U000e0101": "\U000e0101",
    " \ufe0f": "\ufe0f",
}


@for_each("text", HONEST)
def test_real_names_are_left_as_they_are(text: str) -> None:
    assert find_deceptive(text) is None
    assert strip_deceptive(text) == escape_deceptive(text) == text


@for_each(("text", "character"), DECEPTIVE.items())
def test_what_deceives_is_found_stripped_and_spelled_out(text: str, character: str) -> None:
    """S46: names cannot deceive who reads them."""
    assert find_deceptive(text) == character
    assert find_deceptive(strip_deceptive(text)) is None
    assert find_deceptive(escape_deceptive(text)) is None
    assert ascii(character)[1:-1] in escape_deceptive(text)


def test_no_control_separator_or_format_character_is_overlooked() -> None:
    """S46: of all of Unicode, as this Python knows it; joiners have their own rule."""
    refused = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    visible = {"L", "N", "P", "S", "Zs"}
    fillers = set("\u115f\u1160\u3164\uffa0")
    by_category: dict[str, list[str]] = {}
    for code, category in enumerate(map(unicodedata.category, map(chr, range(0x110000)))):
        if category != "Cn":
            by_category.setdefault(category, []).append(chr(code))
    for category, characters in by_category.items():
        if category in refused:
            for character in set(characters) - set(JOINERS):
                assert find_deceptive(f"\u0639{character}\u0639") == character, ascii(character)
        if visible & {category, category[0]}:
            others = (character for character in characters if character not in fillers)
            assert find_deceptive("a".join(["", *others, ""])) is None, category


@given(st.text(st.characters() | st.sampled_from("".join(DECEPTIVE.values()) + JOINERS)))
def test_what_was_spelled_out_is_printed_on_one_line(text: str) -> None:
    """S46: a terminal obeys none of it."""
    shown = escape_deceptive(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) == "Cc" for character in shown)


@for_each("text", ["\u200d", "a\u200d", "\ufe0f", "\u202e", "1\ufe0f", "a\x1b"])
def test_time_grows_with_the_length_alone(text: str) -> None:
    """S37: for 64 KB of the worst, far less than a quadratic search would take."""
    started = time.thread_time()
    escape_deceptive(text * (65_536 // len(text)))
    assert time.thread_time() - started < 2
