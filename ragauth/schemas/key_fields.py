"""Fields of a key: the networks and the origins that it may be used from."""

from typing import Any

from marshmallow import ValidationError

from ragauth.schemas.fields import Text
from ragauth.security.addresses import read_network
from ragauth.security.origins import MAX_LENGTH, canonical_origin, find_canonical_origin


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
