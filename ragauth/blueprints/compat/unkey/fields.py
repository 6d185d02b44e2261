"""Fields of Unkey's forms: ids with a prefix, times in milliseconds, slugs of permissions."""

import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields

from ragauth.policy import SCOPE_NAME
from ragauth.schemas.fields import MESSAGES, Text, Whole
from ragauth.security.identifiers import decode_id, encode_id
from ragauth.security.scope_queries import QUERY_WORDS

API = "api"
KEYSPACE = "ks"
IDENTITY = "id"
PERMISSION = "perm"
RATELIMIT = "rl"
_SAME = dict.fromkeys((API, KEYSPACE), (API, KEYSPACE))

#: No row has this id.
NOTHING = uuid.UUID(int=0)
_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)
# The first moment of the year 2100.
_LATEST_MS = 4_102_444_800_000


def described(options: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    """A field's options with keywords of JSON Schema, which the OpenAPI document has of it."""
    return {**options, "metadata": {**keywords, **options.get("metadata", {})}}


class PrefixedId(fields.Field[uuid.UUID]):
    """`api_` and 26 characters; of an API, which is a keyspace, `ks_` and these too.

    Another text of Unkey's alphabet names nothing here: what asks for it is answered 404.
    """

    default_error_messages = {**MESSAGES, "invalid": "Must be 3 to 255 of a-z, A-Z, 0-9 and `_`"}
    FORM = re.compile(r"[a-zA-Z0-9_]{3,255}")

    def __init__(self, kind: str, **kwargs: Any) -> None:
        example = f"{kind}_01h455vb4pex5vsknk084sn02q"
        super().__init__(**described(kwargs, type="string", examples=[example]))
        self.kind = kind

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> uuid.UUID:
        if not isinstance(value, str) or self.FORM.fullmatch(value) is None:
            raise self.make_error("invalid")
        for kind in _SAME.get(self.kind, (self.kind,)):
            with suppress(ValueError):
                return decode_id(kind, value)
        return NOTHING

    def _serialize(self, value: uuid.UUID | None, *_args: Any, **_kwargs: Any) -> str | None:
        return None if value is None else encode_id(self.kind, value)


class Milliseconds(fields.Field[datetime]):
    """A moment as Unix milliseconds."""

    default_error_messages = {**MESSAGES, "invalid": "Must be Unix time in whole milliseconds"}
    _WHOLE = Whole(minimum=0, maximum=_LATEST_MS)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**described(kwargs, type="integer", minimum=0, maximum=_LATEST_MS))

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> datetime:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid")
        return _EPOCH + self._WHOLE.deserialize(value) * _MILLISECOND

    def _serialize(self, value: datetime | None, *_args: Any, **_kwargs: Any) -> int | None:
        return None if value is None else to_milliseconds(value)


def to_milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


class Slug(Text):
    """A permission's name: a scope of the open form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=512, **described(kwargs, pattern=f"^{SCOPE_NAME.pattern}$"))

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        if "*" in text:
            raise ValidationError("Wildcards are not known here: name each permission")
        if SCOPE_NAME.fullmatch(text) is None:
            raise ValidationError(
                "Must be 1 to 50 of a-z, 0-9, `_`, `.`, `:` and `-`, and begin with a letter"
            )
        if text.upper() in QUERY_WORDS:
            raise ValidationError("`and` and `or` are words of a query: no query could name it")
        return text
