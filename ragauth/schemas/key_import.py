"""A line of a file of keys from another system."""

import hashlib
import re
from typing import Any

from marshmallow import ValidationError, validates_schema

from ragauth.policy import MOST_SCOPES
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Choice, Items, Moment, Name, Text
from ragauth.schemas.scope_fields import GivenScope

_OF_NOTHING = hashlib.sha256(b"").digest()


class Digest(Text):
    """A SHA-256 as 64 hex digits; loaded as its 32 bytes."""

    _FORM = re.compile(r"[0-9A-Fa-f]{64}")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=64, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(*args, **kwargs)
        if self._FORM.fullmatch(text) is None:
            raise ValidationError("Must be the 64 hex digits of the SHA-256 of the whole key")
        digest = bytes.fromhex(text)
        if digest == _OF_NOTHING:
            raise ValidationError("Is the SHA-256 of nothing, not of a key")
        return digest


class Prefix(Name):
    """How a key begins, or another word that it is shown as."""

    _FORM = re.compile(r"[!-~]+")

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        if self._FORM.fullmatch(text) is None:
            raise ValidationError(
                "No key that begins so can be presented: only ASCII without blanks can"
            )
        if text.startswith("eyJ") and "." in text:
            raise ValidationError("What begins so is taken for a token (a JWT), never for a key")
        return text


class ImportedKeySchema(RequestSchema):
    """`owner` is the e-mail address or the id of an account."""

    digest = Digest(required=True)
    owner = Text(minimum=1, maximum=256, required=True)
    name = Name(minimum=1, maximum=100, required=True)
    prefix = Prefix(minimum=1, maximum=40, load_default="imported")
    environment = Choice("live", "test", load_default="live")
    scopes = Items(
        GivenScope(by_operator=True),
        minimum=1,
        maximum=MOST_SCOPES,
        load_default=None,
        allow_none=True,
    )
    expires_at = Moment(load_default=None, allow_none=True)

    @validates_schema
    def _refuse_a_key_as_prefix(self, values: dict[str, Any], **_kwargs: Any) -> None:
        if hashlib.sha256(values["prefix"].encode()).digest() == values["digest"]:
            raise ValidationError("Is the whole key, and a prefix is shown", "prefix")
