"""The ground of every schema, and the faults of a load as the contract words them."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

from marshmallow import RAISE, Schema

from ragauth.errors import MOST_ISSUES
from ragauth.schemas.about import about
from ragauth.schemas.fields import Cursor, Fault, QueryWhole
from ragauth.security.redaction import redact_credentials

_LONGEST_NAME = 100
_UNKNOWN = "Unknown field"


class RequestSchema(Schema):
    """What comes in: an unknown field is a fault, and all faults are found at once.

    `json_rules` are rules between fields, as keywords of JSON Schema for the OpenAPI document.
    """

    json_rules: ClassVar[dict[str, Any]] = {}

    error_messages: ClassVar[dict[str, str]] = {  # type: ignore[misc]
        "unknown": _UNKNOWN,
        "type": "Must be a JSON object",
    }

    class Meta:
        unknown = RAISE


class EmptySchema(RequestSchema):
    """An endpoint that takes nothing: any field is an error."""


class EitherSchema(Schema):
    """An answer of one form or another: the type of what is dumped decides."""

    forms: ClassVar[Mapping[type, type[Schema]]]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.members: dict[type, Schema] = {
            dumped: schema() for dumped, schema in self.forms.items()
        }

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        if many:
            return [self.dump(one) for one in obj]
        return self.members[type(obj)].dump(obj)


class PageQuery(RequestSchema):
    """How much of a list, and from where on."""

    limit = QueryWhole(minimum=1, maximum=100, load_default=50, **about("How many at most."))
    cursor = Cursor(load_default=None)


def to_issues(messages: Any, path: tuple[str | int, ...] = ()) -> Iterator[dict[str, Any]]:
    """marshmallow's nested messages as `{"path": [...], "message": ...}`, one for each fault.

    One more than an InvalidRequest tells of, at most: so it knows whether there are more.
    """
    return islice(_find_issues(messages, path), MOST_ISSUES + 1)


def _find_issues(messages: Any, path: tuple[str | int, ...]) -> Iterator[dict[str, Any]]:
    if isinstance(messages, Mapping):
        # There may be thousands of unknown fields, and the faults of the known ones must be told.
        for key, nested in sorted(messages.items(), key=lambda item: item[1] == [_UNKNOWN]):
            yield from _find_issues(nested, path if key == "_schema" else (*path, _shown(key)))
    elif isinstance(messages, Fault):
        yield from _find_issues(messages.message, (*path, *map(_shown, messages.path)))
    elif isinstance(messages, list):
        for message in messages:
            yield from _find_issues(message, path)
    else:
        yield {"path": list(path), "message": str(messages)}


def _shown(name: str | int) -> str | int:
    """A name may be the client's: of any length, or a credential in the wrong place."""
    if isinstance(name, int):
        return name
    shown = redact_credentials(name, longest=_LONGEST_NAME)
    return shown if len(name) <= _LONGEST_NAME else f"{shown}…"
