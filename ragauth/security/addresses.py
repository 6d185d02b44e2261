"""Addresses and networks, read as what they are: where a client is, and whether a list allows it.

What cannot be read is no address: None. An IPv4 address that is written as an IPv6 one (RFC 4291,
2.5.5.2) is the IPv4 address.
"""

import ipaddress
import re
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST = 100
_MAPPED_BITS = 96
_BLANKS = " \t"
# As proxies write it in X-Forwarded-For and as RFC 7239 section 6 has it, which is why it may stand
# in quotes: an address alone or with a port; IPv6 in brackets then. The zone (RFC 4007, 11) of an
# IPv6 address means nothing to another host, and is dropped.
_FORM = re.compile(
    r"""
    (?P<quote>"?)
    (?: (?P<ipv4> [0-9.]{7,15} ) (?: : (?P<port4> [0-9]{1,5} ) )?
      | \[ (?P<bracketed> [0-9A-Fa-f:.]{2,45} ) (?: % [0-9A-Za-z._~-]{1,32} )? \]
        (?: : (?P<port6> [0-9]{1,5} ) )?
      | (?P<ipv6> [0-9A-Fa-f:.]{2,45} ) (?: % [0-9A-Za-z._~-]{1,32} )?
    )
    (?P=quote)
    """,
    re.VERBOSE,
)
_HIGHEST_PORT = 65_535
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# What older Pythons call global. IPv4: carriers' NAT, protocol assignments, the former relays of
# 6to4, benchmarks. IPv6: Teredo and other protocol assignments, documentation.
_NOT_PUBLIC_IPV4 = tuple(
    map(
        ipaddress.IPv4Network,
        ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15"),
    )
)
_NOT_PUBLIC_IPV6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
# IPv4, and IPv6 without a run of zeros: such an address has one spelling only.
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_GROUP = "[1-9a-f][0-9a-f]{0,3}"
_CANONICAL = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}|{_GROUP}(?::{_GROUP}){{7}}")


def read_address(text: str | None) -> Address | None:
    """The address that a text names, with or without blanks around it, a port and a zone."""
    return None if text is None or len(text) > _LONGEST else _read(text)


def canonical_address(text: str | None) -> str | None:
    """The one spelling of the address that a text names."""
    return None if text is None or len(text) > _LONGEST else _spell(text)


def read_network(text: str) -> Network:
    """An address, or a network in CIDR notation.

    Raises ValueError, in words for its author; a network has no bits beyond its prefix.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
        address = ipaddress.ip_address(text.partition("/")[0])
    except ValueError as error:
        raise ValueError(
            "Must be an address or a network such as 203.0.113.0/24 or 2001:db8::/32"
        ) from error
    if getattr(address, "scope_id", None) is not None:
        raise ValueError("May not have a zone (what follows %): it has a meaning on one host alone")
    if address != network.network_address:
        raise ValueError(
            f"Has bits beyond its prefix: write {_without_mapping(network)} for the network"
        )
    return _without_mapping(network)


def network_of(text: str | None, *, ipv4_prefix: int = 32, ipv6_prefix: int = 64) -> Network | None:
    """The network that the address in a text stands for.

    One host in IPv6 has a /64 to itself, so by default that counts as one address.
    """
    address = read_address(text)
    if address is None:
        return None
    prefix = ipv4_prefix if address.version == 4 else ipv6_prefix
    return ipaddress.ip_network((int(address).to_bytes(address.max_prefixlen // 8), prefix), False)


@lru_cache(maxsize=4096)
def neighbourhood_of(text: str | None) -> Network | None:
    """The network that an address shares with its neighbours: its /24 in IPv4, its /64 in IPv6."""
    return network_of(text, ipv4_prefix=24)


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, which anyone may have.

    An IPv6 address that embeds an IPv4 one (mapped, NAT64 as RFC 6052 has it, 6to4) is what it
    embeds, because a gateway sends what is for it there. Teredo is refused whole.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return (
            address.is_global
            and not address.is_multicast
            and not address.is_reserved
            and not any(address in network for network in _NOT_PUBLIC_IPV4)
        )
    embedded = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if embedded is not None:
        return is_public(embedded)
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and address.scope_id is None
        and not any(address in network for network in _NOT_PUBLIC_IPV6)
    )


def is_within(text: str | None, networks: str) -> bool:
    """Whether the address in a text lies in one of the networks, which blanks separate."""
    address = read_address(text)
    return address is not None and any(address in network for network in _read_networks(networks))


# The same clients and gateways come again and again. A flood of new texts evicts old entries and
# costs no more than no cache would.
@lru_cache(maxsize=4096)
def _read(text: str) -> Address | None:
    form = _FORM.fullmatch(text.strip(_BLANKS))
    if form is None or int(form["port4"] or form["port6"] or 0) > _HIGHEST_PORT:
        return None
    try:
        if form["ipv4"] is not None:
            return ipaddress.IPv4Address(form["ipv4"])
        address = ipaddress.IPv6Address(form["bracketed"] or form["ipv6"])
    except ValueError:
        return None
    return address if address.ipv4_mapped is None else address.ipv4_mapped


@lru_cache(maxsize=4096)
def _spell(text: str) -> str | None:
    # Parsing it each time would cost a tenth of a key's check.
    if _CANONICAL.fullmatch(text):
        return text
    address = _read(text)
    return None if address is None else str(address)


@lru_cache(maxsize=1024)
def _read_networks(networks: str) -> list[Network]:
    return [read_network(network) for network in networks.split()]


def _without_mapping(network: Network) -> Network:
    """`::ffff:203.0.113.0/120` is 203.0.113.0/24."""
    mapped = network.network_address.ipv4_mapped if network.version == 6 else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
