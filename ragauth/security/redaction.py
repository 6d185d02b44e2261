"""What no log line, history or error may hold: text that is, or may be, a credential.

Clients choose the text. So it is cut before it is searched, and a search is linear in what is left:
a look-behind lets it begin where a run of characters begins and nowhere else, and a possessive
quantifier or an atomic group never gives back what it took.
"""

import re

from ragauth.security.key_format import CHECKSUM_LENGTH, RANDOM_LENGTH, TAGS, UNBRANDED

# Every credential is longer than this, so a shorter text is not searched.
_LENGTH_OF_A_SECRET = 40
_LONGEST_PATH = 400
_REDACTED = "***"

_OF_A_SECRET = "[A-Za-z0-9._-]"  # noqa: S105 - characters, no secret
_MAY_BE_A_SECRET = re.compile(rf"(?<!{_OF_A_SECRET}){_OF_A_SECRET}{{{_LENGTH_OF_A_SECRET},}}+")
_LAST_RUN = re.compile(rf"(?<!{_OF_A_SECRET}){_OF_A_SECRET}++\Z")

# The brand, unless another key ends where it begins, and the tag; or another vendor's prefix.
_BEGINS_A_KEY = (
    rf"(?:(?<![a-z0-9])[a-z0-9]*+)?(?:_(?:{'|'.join(TAGS)})|(?<={'|'.join(UNBRANDED)}))_"
)
# To the end: who does not escape the slashes within an external id, or misspells what stands around
# it, is refused, and the log has it no more than any other.
_EXTERNAL_ID = re.compile(r"(?<=/ext:).+?(?=(?:/api-keys)?/?\Z)", re.IGNORECASE | re.DOTALL)
# Whatever else a key begins with: a prefix that an operator chose ends so.
_REST = rf"(?<=_)[A-Za-z0-9]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}"
_KEY = re.compile(rf"{_BEGINS_A_KEY}[A-Za-z0-9]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}|{_REST}")
_OF_A_TOKEN = "[A-Za-z0-9_-]"  # noqa: S105 - characters, no secret
_BEFORE_A_TOKEN = rf"(?<!{_OF_A_TOKEN})(?>({_OF_A_TOKEN}*?)eyJ)"
_TOKEN = re.compile(rf"{_BEFORE_A_TOKEN}{_OF_A_TOKEN}{{8,}}+(?:\.{_OF_A_TOKEN}++){{2,}}+")
_UNFINISHED = re.compile(
    rf"{_BEGINS_A_KEY}[A-Za-z0-9]*+\Z|(?<=_)[A-Za-z0-9]{{8,}}+\Z"
    rf"|{_BEFORE_A_TOKEN}{_OF_A_TOKEN}*+(?:\.{_OF_A_TOKEN}*+){{0,2}}\Z"
)


def redact_path(path: str) -> str:
    """A path, cut after 400 characters, without parts as long as a key or a token.

    It should never carry one. An external id is left out too: it may be a person's address.
    """
    if ":" in path:
        path = _EXTERNAL_ID.sub(_REDACTED, path)
    if len(path) < _LENGTH_OF_A_SECRET:
        return path
    if len(path) > _LONGEST_PATH:
        path = _LAST_RUN.sub(_REDACTED, path[:_LONGEST_PATH])
    return _MAY_BE_A_SECRET.sub(_REDACTED, path)


def redact_credentials(text: str, *, longest: int) -> str:
    """The first `longest` characters of a text, without what has the form of a key or a token.

    Nor is there a part of one, where the text was cut.
    """
    if len(text) > longest:
        text = _UNFINISHED.sub(_REDACTED, text[:longest])
    if len(text) < _LENGTH_OF_A_SECRET:
        return text
    return _KEY.sub(_REDACTED, _TOKEN.sub(rf"\1{_REDACTED}", text))
