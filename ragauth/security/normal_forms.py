"""Normal forms of Unicode text, made only of text whose length is bounded.

CPython sorts a run of combining marks by insertion: 31,000 of them take most of a second with the
GIL held. Nothing else in this package normalises or case-folds.
"""

import unicodedata

# NFKC drops no code point, and joins at most four into one (U+1F82 is alpha and three marks).
_MOST_JOINED = 4


class TextTooLong(ValueError):
    """The normal form would have more code points than are allowed."""


def normalise(text: str, *, longest: int) -> str:
    """The NFKC of a text; raises TextTooLong where that has more than `longest` code points."""
    require_short(text, longest=longest)
    normal = unicodedata.normalize("NFKC", text)
    if len(normal) > longest:
        raise TextTooLong
    return normal


def fold(text: str, *, longest: int) -> str:
    """The form in which texts are equal without regard to case; its NFKC is bounded as above."""
    return unicodedata.normalize("NFKC", normalise(text, longest=longest).casefold())


def require_short(text: str, *, longest: int) -> None:
    """Raises TextTooLong for a text whose NFKC must have more than `longest` code points.

    It looks at the length alone, before anything that costs more is done with the text.
    """
    if len(text) > _MOST_JOINED * longest:
        raise TextTooLong
