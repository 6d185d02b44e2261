"""The compat faces' identifiers: a UUID in its plain form (RFC 9562 section 4)."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from marshmallow import fields


class PlainUuid(fields.Field[uuid.UUID]):
    """`123e4567-e89b-12d3-a456-426614174000` and no other spelling."""

    default_error_messages = {
        "required": "Required",
        "null": "May not be null",
        "invalid": "Must be a UUID",
    }
    _FORM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> uuid.UUID:
        if not isinstance(value, str) or self._FORM.fullmatch(value) is None:
            raise self.make_error("invalid")
        return uuid.UUID(value)

    def _serialize(self, value: uuid.UUID | None, *_args: Any, **_kwargs: Any) -> str | None:
        return None if value is None else str(value)
