"""Fields of a key: the networks and the origins that it may be used from."""

import ipaddress
from typing import Any

from marshmallow import ValidationError

from ragauth.schemas.fields import Text
from ragauth.security.origins import MAX_LENGTH, canonical_origin, find_canonical_origin

_MAPPED_BITS = 96


class Network(Text):
    """An address or a CIDR network, v4 or v6; loaded in its canonical form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=64, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        try:
            if "%" in text:
                raise ValueError("a zone means nothing to another host")
            return str(_without_mapping(ipaddress.ip_network(text)))
        except ValueError as error:
            raise ValidationError(
                "Must be an address or a network such as 203.0.113.0/24 or 2001:db8::/32"
            ) from error


def _without_mapping(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """`::ffff:203.0.113.0/120` is 203.0.113.0/24: a client's address is compared as IPv4."""
    mapped = network.network_address.ipv4_mapped if network.version == 6 else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


class PresentedOrigin(Text):
    """What a service passes on as its client's origin: loaded in the form in which a browser sends
    it, or as None where no browser does.
    """

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        return find_canonical_origin(super()._deserialize(*args, **kwargs))


class Origin(Text):
    """A web origin, `https://app.example.com`; loaded in the form in which a browser sends it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=MAX_LENGTH, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        try:
            return canonical_origin(text)
        except ValueError as error:
            raise ValidationError(
                f"Must be an origin such as https://app.example.com: {error}"
            ) from error
