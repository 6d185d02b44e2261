"""Fields of a key: the networks and the origins that it may be used from."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError

from ragauth.schemas.fields import Text

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


class Origin(Text):
    """A web origin as a browser sends it: `https://app.example.com`, without a path."""

    _VISIBLE = re.compile(r"[\x21-\x7e]+")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=300, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs).lower()
        try:
            parts = urlsplit(text)
            fits = (
                parts.scheme in ("http", "https")
                and parts.hostname is not None
                and parts.username is None
                and text == f"{parts.scheme}://{parts.netloc}"
                and self._VISIBLE.fullmatch(text) is not None
                and (parts.port is None or parts.port > 0)
            )
        except ValueError:
            fits = False
        if not fits:
            raise ValidationError("Must be an origin such as https://app.example.com")
        return text
