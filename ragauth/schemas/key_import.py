"""A line of a file of keys from another system."""

import re
from typing import Any

from marshmallow import ValidationError

from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Choice, Items, Moment, Name, Text
from ragauth.security.scopes import KEY_SCOPES


class Digest(Text):
    """A SHA-256 as 64 hex digits; loaded as its 32 bytes."""

    _FORM = re.compile(r"[0-9A-Fa-f]{64}")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=64, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(*args, **kwargs)
        if self._FORM.fullmatch(text) is None:
            raise ValidationError("Must be the 64 hex digits of the SHA-256 of the whole key")
        return bytes.fromhex(text)


class ImportedKeySchema(RequestSchema):
    """`owner` is the e-mail address or the id of an account."""

    digest = Digest(required=True)
    owner = Text(minimum=1, maximum=256, required=True)
    name = Name(minimum=1, maximum=100, required=True)
    prefix = Name(minimum=1, maximum=40, load_default="imported")
    environment = Choice("live", "test", load_default="live")
    scopes = Items(Choice(*KEY_SCOPES), minimum=1, maximum=3, load_default=None, allow_none=True)
    expires_at = Moment(load_default=None, allow_none=True)
