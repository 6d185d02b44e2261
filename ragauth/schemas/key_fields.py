"""Fields of a key: the networks and the origins that it may be used from."""

import re
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError

from ragauth.schemas.fields import Text
from ragauth.security.addresses import read_network


class Network(Text):
    """An address or a CIDR network, v4 or v6; loaded in its canonical form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=64, trimmed=True, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        try:
            return str(read_network(text))
        except ValueError as error:
            raise ValidationError(str(error)) from error


class Origin(Text):
    """A web origin as a browser sends it: `https://app.example.com`, without a path."""

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
                and re.fullmatch(r"[\x21-\x7e]+", text) is not None
                and (parts.port is None or parts.port > 0)
            )
        except ValueError:
            fits = False
        if not fits:
            raise ValidationError("Must be an origin such as https://app.example.com")
        return text
