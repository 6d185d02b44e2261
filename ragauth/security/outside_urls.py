"""URLs from outside that people are shown: bounded, without credentials, and inert.

Whoever publishes a key chooses the address where it is found, and so what its owner reads.
"""

import re

from ragauth.security.plain_text import escape_deceptive
from ragauth.security.redaction import redact_credentials

LONGEST = 500

_WEB = re.compile(r"https?://[^/?#]", re.IGNORECASE)
# RFC 3986, without a user (what stands before an @ is taken for the host) and without IPv6.
_PLAIN = re.compile(
    r"https?://[A-Za-z0-9.-]++(?::[0-9]{1,5})?(?:[/?#][A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]*+)?"
)


def inert_url(url: str | None) -> str | None:
    """The URL as it may be stored and shown; None if it is not one of the web."""
    if url is None or _WEB.match(url) is None:
        return None
    return inert_text(url, longest=LONGEST)


def inert_text(text: str, *, longest: int) -> str:
    """A text from outside, cut, without credentials and without characters that deceive."""
    return escape_deceptive(redact_credentials(text, longest=longest))[:longest]


def is_plain(url: str) -> bool:
    """Whether a URL is one that may be a link: all of it is what a reader takes it for."""
    return len(url) <= LONGEST and _PLAIN.fullmatch(url) is not None


def as_words(url: str) -> str:
    """A URL in a form that no program makes a link of: `https[:]//…`."""
    return url.replace(":", "[:]", 1)
