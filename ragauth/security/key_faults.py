"""Why a text is no API key, in words for the caller; nothing of the text is repeated.

Asked only once a key is refused. Only the beginning of a long text is looked at.
"""

import re

from ragauth.security.key_format import (
    CHECKSUM_LENGTH,
    RANDOM_LENGTH,
    find_start,
    is_token_shaped,
    is_well_formed,
)

_LOOKED_AT = 300
_LENGTH = RANDOM_LENGTH + CHECKSUM_LENGTH
_QUOTES = "\"'`\u2018\u2019\u201c\u201d"
_BLANK = re.compile(r"\s")
_OTHER_THAN_PRINTABLE = re.compile(r"[^!-~]")
_OTHER_THAN_BASE62 = re.compile(r"[^0-9A-Za-z]")
# A word, a separator and something long (`sk_live_…`, `sk-…`, `ghp_…`, `SG.…`), what two clouds'
# keys begin with, a UUID or a hash in hex.
_OF_ANOTHER_SERVICE = re.compile(
    r"[A-Za-z][0-9A-Za-z]{0,15}[_.-][!-~]{12,}|(?:AKIA|ASIA|AIza)[!-~]{12,}|[0-9A-Fa-f-]{32,}"
)


def explain_no_key(text: str, brand: str) -> str | None:
    """What is wrong with a text that should be a key of this brand; None if that is not known.

    ASCII without double quotes and backslashes: it stands in a header (RFC 6750 section 3).
    """
    beginning = text[:_LOOKED_AT]
    if not text:
        return "it is empty"
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        return "the key is in quotes"
    if _BLANK.search(beginning) is not None:
        return "there is a space or a line break in the key"
    if _OTHER_THAN_PRINTABLE.search(beginning) is not None:
        return "the key has other characters than ASCII's"
    prefix = find_start(beginning, brand)
    if prefix is not None:
        return _explain_rest(text, prefix, brand)
    if is_token_shaped(text):
        return "this is a token, not an API key"
    if _OF_ANOTHER_SERVICE.match(beginning) is not None:
        return "this looks like a key of another service"
    return None


def _explain_rest(text: str, prefix: str, brand: str) -> str | None:
    found = len(text) - len(prefix)
    if found != _LENGTH:
        return f"{_LENGTH} characters after {prefix} expected, {found} found"
    if _OTHER_THAN_BASE62.search(text, len(prefix)) is not None:
        return f"only letters and digits may follow {prefix}"
    if not is_well_formed(text, brand):
        return "its last six characters do not fit the others, so one of them is mistyped"
    return None
