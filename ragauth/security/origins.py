"""Web origins: the one form in which a browser sends each (RFC 6454, WHATWG URL)."""

import ipaddress
import re
from functools import lru_cache

import idna

MAX_LENGTH = 300

_FORM = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>\[[^\[\]]*\]|[^\[\]:/?#@\\]*)"
    r"(?::(?P<port>[0-9]*))?"
    r"(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535
# Pages of these have no origin of their own, or there are no pages of them.
_WITHOUT_ORIGIN = frozenset(
    {"about", "blob", "data", "file", "filesystem", "ftp", "javascript", "mailto", "ws", "wss"}
)
_MAX_HOST_LENGTH = 253
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
# A browser reads such a host as an IPv4 address, in any base.
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")


@lru_cache(maxsize=1024)
def canonical_origin(text: str) -> str:
    """An origin as a browser sends it.

    Scheme and host are in small letters, a name of another script in Punycode, an IPv6 address in
    its short form, the scheme's own port left out, and nothing stands behind. Raises ValueError,
    in words for its author, for a text that no browser sends.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"an origin has at most {MAX_LENGTH} characters")
    text = text.strip()
    if text == "null":
        raise ValueError("null cannot be listed: any page without an origin sends it")
    if "*" in text:
        raise ValueError("* is no wildcard here: list each origin by itself")
    parts = _FORM.fullmatch(text)
    if parts is None:
        raise ValueError("an origin is a scheme, :// and a host, such as https://app.example.com")
    scheme = parts["scheme"].lower()
    if scheme in _WITHOUT_ORIGIN:
        raise ValueError(f"no page has an origin that begins with {scheme}://")
    if parts["rest"] not in ("", "/"):
        raise ValueError("an origin ends with its host or port: no user name, path or query")
    return f"{scheme}://{canonical_host(parts['host'])}{port_suffix(parts['port'], scheme)}"


def find_canonical_origin(text: str) -> str | None:
    """The same, and None for what no browser sends."""
    try:
        return canonical_origin(text)
    except ValueError:
        return None


def port_suffix(text: str | None, scheme: str) -> str:
    """A port as it stands behind a host; empty for the scheme's own. Raises ValueError."""
    port = int(text) if text else _DEFAULT_PORTS.get(scheme, 0)
    if port > _MAX_PORT or (text and port == 0):
        raise ValueError(f"a port is a number up to {_MAX_PORT}")
    return "" if port in (0, _DEFAULT_PORTS.get(scheme)) else f":{port}"


def canonical_host(text: str) -> str:
    """A host as a browser sends it. Raises ValueError for what is neither name nor address."""
    if text.startswith("["):
        return f"[{_short_form(ipaddress.IPv6Address(text[1:-1]))}]"
    host = _without_other_scripts(text)
    if len(host) > _MAX_HOST_LENGTH or _NAME.fullmatch(host) is None:
        raise ValueError("the host is neither a name nor an address")
    if _ENDS_IN_A_NUMBER.fullmatch(host):
        return str(ipaddress.IPv4Address(host))
    return host


def _short_form(address: ipaddress.IPv6Address) -> str:
    """As browsers write it: also an IPv4-mapped one has no dots (WHATWG URL section 3.5)."""
    if address.scope_id is not None:
        raise ValueError("a zone (what follows %) has a meaning on one host alone")
    mapped = address.ipv4_mapped
    if mapped is not None:
        return f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}"
    return str(address)


def _without_other_scripts(host: str) -> str:
    """A host in ASCII and small letters (UTS 46, without the transitional mapping)."""
    if host.isascii():
        return host.lower()
    mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"
        for label in mapped.split(".")
    )
