"""A line of a file of keys from another system."""

import base64
import hashlib
import re
from typing import Any, ClassVar

from marshmallow import ValidationError, post_load, validates_schema

from ragauth.extensions import current_policy
from ragauth.models.api_keys import LONGEST_PREFIX, LONGEST_TEXT_BEFORE
from ragauth.policy import MOST_SCOPES
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Choice, Flag, Items, Moment, Name, Text
from ragauth.schemas.scope_fields import ManagedScope
from ragauth.security.identifiers import EXTERNAL
from ragauth.security.key_format import digest_after

_OF_NOTHING = hashlib.sha256(b"").digest()
_TO_URL_SAFE = str.maketrans("+/", "-_")
_WHOLE, _AFTER = "key", "after"
# An address has up to 256 characters, an external id 255.
_LONGEST_OWNER = len(EXTERNAL) + 255


class Digest(Text):
    """A SHA-256 in one of the forms that systems store; loaded as its 32 bytes.

    The length tells hex from base64, so that none is guessed. The 43rd character of base64 has two
    bits that belong to no byte; they must be zero, or the text is no digest in base64.
    """

    _HEX = re.compile(r"[0-9A-Fa-f]{64}")
    _BASE64 = re.compile(r"([A-Za-z0-9+/]{43}|[A-Za-z0-9_-]{43})=?")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=256, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        digest = self._read(super()._deserialize(*args, **kwargs))
        if digest is None:
            raise ValidationError(
                "Must be a SHA-256: 64 hex digits, or 43 or 44 characters of base64 or base64url"
            )
        if digest == _OF_NOTHING:
            raise ValidationError("Is the SHA-256 of nothing, not of a key")
        return digest

    def _read(self, text: str) -> bytes | None:
        if self._HEX.fullmatch(text):
            return bytes.fromhex(text)
        if self._BASE64.fullmatch(text) is None:
            return None
        digits = text.rstrip("=").translate(_TO_URL_SAFE)
        digest = base64.urlsafe_b64decode(f"{digits}=")
        return digest if base64.urlsafe_b64encode(digest) == f"{digits}=".encode() else None


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


class FileFlag(Flag):
    """As JSON has it, or as text: `true` or `false`, or PostgreSQL's `t` or `f`."""

    _TEXTS: ClassVar = {"true": True, "t": True, "false": False, "f": False}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if isinstance(value, str):
            value = self._TEXTS.get(value.lower())
        return super()._deserialize(value, *args, **kwargs)


class ImportedKeySchema(RequestSchema):
    """`owner` is the e-mail address or the id of an account, or `ext:` and its external id.

    `hashed` tells what `digest` is of: the whole key (`key`), or the part of it after `text_before`
    (`after`). Loaded, `digest` is what is stored.
    """

    digest = Digest(required=True)
    hashed = Choice(_WHOLE, _AFTER, load_default=_WHOLE)
    text_before = Prefix(minimum=1, maximum=LONGEST_TEXT_BEFORE, load_default=None)
    owner = Text(minimum=1, maximum=_LONGEST_OWNER, required=True)
    name = Name(minimum=1, maximum=100, required=True)
    prefix = Prefix(minimum=1, maximum=LONGEST_PREFIX, load_default=None)
    environment = Choice("live", "test", load_default="live")
    scopes = Items(
        ManagedScope(),
        minimum=1,
        maximum=MOST_SCOPES,
        load_default=None,
        allow_none=True,
    )
    expires_at = Moment(load_default=None, allow_none=True)
    managed = FileFlag(load_default=False)

    @validates_schema
    def _require_coherent(self, values: dict[str, Any], **_kwargs: Any) -> None:
        is_after, text_before = values["hashed"] == _AFTER, values["text_before"]
        if is_after and text_before is None:
            raise ValidationError('Required where hashed is "after"', "text_before")
        if text_before is not None and not is_after:
            raise ValidationError(
                'Only where hashed is "after"; the digest of a whole key needs none', "text_before"
            )
        scopes, prefix = values["scopes"], values["prefix"]
        if scopes and not values["managed"] and not current_policy().scopes.keys() >= set(scopes):
            raise ValidationError("Only a managed key may have undeclared scopes", "scopes")
        if prefix is None:
            return
        for shown in (prefix, prefix.removeprefix(text_before or "")):
            if hashlib.sha256(shown.encode()).digest() == values["digest"]:
                raise ValidationError("Is the whole key, and a prefix is shown", "prefix")

    @post_load
    def _to_stored(self, values: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        text_before = values["text_before"]
        del values["hashed"]
        values["is_managed"] = values.pop("managed")
        if values["prefix"] is None:
            values["prefix"] = (text_before or "imported")[:LONGEST_PREFIX]
        if text_before is not None:
            values["digest"] = digest_after(text_before, values["digest"])
        return values
