"""The URLs of webhooks, in the one form in which they are stored and called (RFC 3986)."""

import re
from urllib.parse import quote

from ragauth.security.origins import canonical_host, port_suffix

MAX_LENGTH = 2000

_FORM = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>\[[^\[\]/?#@\\]*\]|[^\[\]:/?#@\\]*)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:[/?].*)?)",
    re.IGNORECASE | re.DOTALL,
)
_AUTHORITY = re.compile(r"[^:]*+:?/*+(?P<authority>[^/?#\\]*+)")
_UNWRITTEN = re.compile(r"[\x00-\x20\x7f]")
# Reserved characters keep their meaning, and what is encoded already stays as it is.
_KEPT = "/?%:@!$&'()*+,;=-._~"


def canonical_webhook_url(text: str) -> str:
    """The URL in ASCII: a host of another script in Punycode, the rest percent-encoded.

    Raises ValueError, in words for its author.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"Must be at most {MAX_LENGTH} characters long")
    if text.partition("://")[0].lower() not in ("https", "http"):
        raise ValueError("Must begin with https://")
    if _UNWRITTEN.search(text):
        raise ValueError("May not contain a space or a control character")
    if "#" in text:
        raise ValueError("May not have a fragment (what follows #)")
    authority = _AUTHORITY.match(text)
    if authority is not None and "@" in authority["authority"]:
        raise ValueError("May not have a user or a password")
    parts = _FORM.fullmatch(text)
    if parts is None:
        raise ValueError("Must be a URL such as https://hooks.example.com/ragauth")
    scheme = parts["scheme"].lower()
    try:
        host = canonical_host(parts["host"]).rstrip(".")
        port = port_suffix(parts["port"], scheme)
    except (ValueError, UnicodeError) as error:
        raise ValueError("Must name a host, such as hooks.example.com, and a valid port") from error
    if not host:
        raise ValueError("Must name a host, such as hooks.example.com, and a valid port")
    try:
        rest = quote(parts["rest"], safe=_KEPT)
    except UnicodeEncodeError as error:
        raise ValueError("May not contain a lone surrogate") from error
    url = f"{scheme}://{host}{port}{rest if rest.startswith('/') else f'/{rest}'}"
    if len(url) > MAX_LENGTH:
        raise ValueError(f"Must be at most {MAX_LENGTH} characters long")
    return url
