"""Text that people are shown: which characters would deceive them, and how these are made inert.

The rule is on what a reader sees (Unicode Standard, sections 5.21 and 23; UTR 36). Refused are
controls, line and paragraph separators, bidirectional controls, and what is invisible: format
characters, fillers, tags, surrogates, noncharacters. Letters of every script, spaces, symbols,
private and not yet assigned characters are not.

Two kinds of invisible characters belong to real names, and are refused only where they do nothing:
joiners, which Persian, the scripts of India and emoji need, between others than letters that never
join; variation selectors, which kanji and emoji need, behind others than what they can vary. Flags
of England, Scotland and Wales are lost: they consist of tags.
"""

import re

_ALWAYS = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
# The last two of each plane.
_NONCHARACTERS = "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_JOINERS = "\u200c\u200d"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Latin, Greek, Cyrillic, Armenian, ASCII: what never joins.
_NEVER_JOIN = "\x00-\u058f\u1e00-\u1fff"
# From Hebrew to Myanmar, Khmer, Mongolian: a joiner may end a word.
_JOIN = "\u0590-\u109f\u1780-\u18af"
_KEYCAP = "#*0-9"

_DECEPTIVE = re.compile(
    rf"[{_ALWAYS}{_NONCHARACTERS}]"
    # A joiner behind nothing, before nothing, between letters that never join.
    rf"|(?<![^\s{_JOINERS}])[{_JOINERS}]"
    rf"|(?<![{_JOIN}])[{_JOINERS}](?![^\s{_JOINERS}{_SELECTORS}])"
    rf"|(?<=[{_NEVER_JOIN}])[{_JOINERS}](?=[{_NEVER_JOIN}])"
    # A selector behind what has no variants.
    rf"|(?<![^\s\x00-\x22\x24-\x29\x2b-\x2f\x3a-\xa8\xaa-\xad\xaf-\u0fff\u1e00-\u1fff"
    rf"{_JOINERS}{_SELECTORS}])[{_SELECTORS}]"
    rf"|(?<=[{_KEYCAP}])[{_SELECTORS}](?!\u20e3)"
)


def find_deceptive(text: str) -> str | None:
    """The first character of a text that would deceive its reader; None if there is none."""
    found = _DECEPTIVE.search(text)
    return found and found.group()


def strip_deceptive(text: str) -> str:
    """A text without the characters that would deceive its reader."""
    return _DECEPTIVE.sub("", text)


def escape_deceptive(text: str) -> str:
    """A text with these characters spelled out: `\\x1b`, `\\u202e`."""
    return _DECEPTIVE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape", "surrogatepass").decode("ascii")
