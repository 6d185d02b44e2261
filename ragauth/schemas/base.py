"""The ground of every schema, and the faults of a load as the contract words them."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from marshmallow import RAISE, Schema

from ragauth.schemas.about import about
from ragauth.schemas.fields import Cursor, QueryWhole
from ragauth.security.redaction import redact_credentials


class RequestSchema(Schema):
    """What comes in: an unknown field is a fault, and all faults are found at once.

    `json_rules` are rules between fields, as keywords of JSON Schema for the OpenAPI document.
    """

    json_rules: ClassVar[dict[str, Any]] = {}

    error_messages: ClassVar[dict[str, str]] = {  # type: ignore[misc]
        "unknown": "Unknown field",
        "type": "Must be a JSON object",
    }

    class Meta:
        unknown = RAISE


class EmptySchema(RequestSchema):
    """Nothing to say."""


class EitherSchema(Schema):
    """An answer of one form or another: the type of what is dumped decides."""

    forms: ClassVar[Mapping[type, type[Schema]]]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.members: dict[type, Schema] = {
            dumped: schema() for dumped, schema in self.forms.items()
        }

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        return self.members[type(obj)].dump(obj, many=many)


class PageQuery(RequestSchema):
    """How much of a list, and from where on."""

    limit = QueryWhole(minimum=1, maximum=100, load_default=50, **about("How many at most."))
    cursor = Cursor(load_default=None)


def to_issues(messages: Any, path: tuple[str | int, ...] = ()) -> Iterator[dict[str, Any]]:
    """marshmallow's nested messages as `{"path": [...], "message": ...}`, one for each fault."""
    if isinstance(messages, Mapping):
        for key, nested in messages.items():
            # An unknown field is named as it was sent, and may be a credential in the wrong place.
            name = redact_credentials(key) if isinstance(key, str) else key
            yield from to_issues(nested, path if key == "_schema" else (*path, name))
    elif isinstance(messages, list):
        for message in messages:
            yield from to_issues(message, path)
    else:
        yield {"path": list(path), "message": str(messages)}
