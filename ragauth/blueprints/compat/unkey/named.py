"""Things that a question names by their id, or by the name that the operator gave them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import fields

from ragauth.schemas.fields import MESSAGES, Text
from ragauth.security.identifiers import decode_id


class IdOrName(fields.Field[UUID | str]):
    """Loaded as a UUID where the text is an id of this kind, else as the text."""

    default_error_messages = {**MESSAGES}
    minimum = 1
    maximum = 512

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self._text = Text(minimum=self.minimum, maximum=self.maximum)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> UUID | str:
        named: str = self._text.deserialize(value)
        try:
            return decode_id(self.kind, named)
        except ValueError:
            return named
