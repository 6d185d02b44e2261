"""Networks: who shares an address with whom."""

import ipaddress

_IPV4_BITS = 24
_IPV6_BITS = 64


def network_of(address: str | None) -> str | None:
    """The /24 of an IPv4 address, the /64 of an IPv6 one; an IPv4-mapped one is read as IPv4.

    Without an address there is no network. Raises ValueError for what is no address.
    """
    if address is None:
        return None
    known = ipaddress.ip_address(address)
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(known), _IPV6_BITS), strict=False))
        known = known.ipv4_mapped
    return str(ipaddress.IPv4Network((int(known), _IPV4_BITS), strict=False))
