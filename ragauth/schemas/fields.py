"""Fields that refuse what must never reach a service: NUL, lone surrogates, look-alike types."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from marshmallow import ValidationError, fields

from ragauth.clock import format_time
from ragauth.models.usage_places import DayPlace, KeyPlace, MonthPlace
from ragauth.security.identifiers import FEED, decode_id, decode_suffix, encode_id, encode_suffix
from ragauth.security.plain_text import find_deceptive

_LINES = str.maketrans("\n\t", "  ")
# Characters that a database cannot store.
_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")

MESSAGES = {"required": "Required", "null": "May not be null", "invalid": "Not a valid value"}


class Fault(NamedTuple):
    """A fault within a value: its path below the field, and what is wrong there."""

    path: tuple[str | int, ...]
    message: str


def is_unstorable(text: str) -> bool:
    """Whether a text has a character that no database stores: NUL, a lone surrogate."""
    return _UNSTORABLE.search(text) is not None


class Text(fields.Field[str]):
    """A string, as it came or trimmed, with its length in code points."""

    default_error_messages = {**MESSAGES, "invalid": "Not a string"}

    def __init__(
        self, *, minimum: int = 0, maximum: int, trimmed: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.minimum = minimum
        self.maximum = maximum
        self.trimmed = trimmed

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if is_unstorable(value):
            raise ValidationError("May not contain NUL or lone surrogates")
        text = value.strip() if self.trimmed else value
        if len(text) < self.minimum:
            raise ValidationError(
                "May not be empty"
                if self.minimum == 1
                else f"Must be at least {self.minimum} characters long"
            )
        if len(text) > self.maximum:
            raise ValidationError(f"Must be at most {self.maximum} characters long")
        return text


class AnyText(fields.Field[str]):
    """Any string at all: what it is, a service decides. No database is asked for it as it is."""

    default_error_messages = {**MESSAGES, "invalid": "Not a string"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return value


class Name(Text):
    """A text that people are shown: none of its characters deceives who reads it.

    One of several lines may hold line feeds and tabs.
    """

    def __init__(self, *, has_lines: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.has_lines = has_lines

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        shown = text.translate(_LINES) if self.has_lines else text
        character = find_deceptive(shown)
        if character is not None:
            raise ValidationError(
                f"May not contain U+{ord(character):04X}, a control or an invisible character"
            )
        return text


class Flag(fields.Field[bool]):
    default_error_messages = {**MESSAGES, "invalid": "Must be true or false"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Whole(fields.Field[int]):
    """A whole number within bounds; never a string, a float or a boolean."""

    default_error_messages = {**MESSAGES, "invalid": "Must be a whole number"}

    def __init__(self, *, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum = minimum
        self.maximum = maximum

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid")
        if not self.minimum <= value <= self.maximum:
            raise ValidationError(f"Must be between {self.minimum} and {self.maximum}")
        return value


class QueryFlag(Flag):
    """`true` or `false` in a query string."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        return super()._deserialize({"true": True, "false": False}.get(value), *args, **kwargs)


class QueryWhole(Whole):
    """A whole number in a query string."""

    _WHOLE = re.compile(r"-?[0-9]++")
    # No bound has more than nine digits; int() is slow for thousands of digits.
    _READ = re.compile(r"[0-9]{1,9}")

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or self._WHOLE.fullmatch(value) is None:
            raise self.make_error("invalid")
        number = int(value) if self._READ.fullmatch(value) else self.maximum + 1
        return super()._deserialize(number, *args, **kwargs)


class Choice(Text):
    def __init__(self, *choices: str, **kwargs: Any) -> None:
        super().__init__(maximum=1000, **kwargs)
        self.choices = choices

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        if text not in self.choices:
            raise ValidationError(f"Must be one of: {', '.join(self.choices)}")
        return text


class Items(fields.List[Any]):
    """A list without repetitions."""

    default_error_messages = {**MESSAGES, "invalid": "Not a list"}

    def __init__(
        self, item: fields.Field[Any], *, minimum: int = 0, maximum: int, **kwargs: Any
    ) -> None:
        super().__init__(item, **kwargs)
        self.minimum = minimum
        self.maximum = maximum

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not self.minimum <= len(value) <= self.maximum:
            raise ValidationError(f"Must have {self.minimum} to {self.maximum} entries")
        return list(dict.fromkeys(super()._deserialize(value, *args, **kwargs)))


class Moment(fields.Field[datetime]):
    """RFC 3339 with an offset, in and out."""

    default_error_messages = {
        **MESSAGES,
        "invalid": "Must be an RFC 3339 time such as 2026-01-15T10:30:00Z",
    }
    _FORM = re.compile(
        r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
    )

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> datetime:
        if not isinstance(value, str) or self._FORM.fullmatch(value) is None:
            raise self.make_error("invalid")
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.make_error("invalid") from error

    def _serialize(self, value: datetime | None, *_args: Any, **_kwargs: Any) -> str | None:
        return None if value is None else format_time(value)


class Id(fields.Field[uuid.UUID]):
    """`key_` and 26 characters on the wire, a UUID inside."""

    default_error_messages = dict(MESSAGES)

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> uuid.UUID:
        try:
            return decode_id(self.kind, value)
        except (ValueError, AttributeError) as error:
            raise ValidationError(
                f"Must be {self.kind}_ and 26 characters of lower-case base32"
            ) from error

    def _serialize(self, value: uuid.UUID | None, *_args: Any, **_kwargs: Any) -> str | None:
        return None if value is None else encode_id(self.kind, value)


class Cursor(fields.Field[uuid.UUID]):
    """Where the next page goes on: opaque to the caller, the last id of the page before."""

    default_error_messages = {
        **MESSAGES,
        "invalid": "Must be the next cursor of the page before",
    }

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> uuid.UUID:
        try:
            return decode_suffix(value)
        except ValueError as error:
            raise self.make_error("invalid") from error


class Day(fields.Field[date]):
    """A day of the calendar, `2026-01-31`."""

    default_error_messages = {**MESSAGES, "invalid": "Must be a day such as 2026-01-31"}
    _FORM = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> date:
        if not isinstance(value, str) or self._FORM.fullmatch(value) is None:
            raise self.make_error("invalid")
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise self.make_error("invalid") from error


class Month(fields.Field[date]):
    """A month of the calendar, `2026-01`; inside it is the month's first day."""

    def _serialize(self, value: date | None, *_args: Any, **_kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()[:7]


class UsageCursor(Cursor):
    """Where a page of usage goes on: after the last row of the page before.

    A day and a key; or a day, or a month, with an account and an environment.
    """

    _FORM = re.compile(
        r"(?P<period>\d{4}-\d{2}(-\d{2})?)\.(?P<suffix>[0-9a-z]{26})(\.(?P<environment>live|test))?",
        re.ASCII,
    )

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        form = self._FORM.fullmatch(value)
        if form is None:
            raise self.make_error("invalid")
        identifier = super()._deserialize(form["suffix"], *args, **kwargs)
        is_month = len(form["period"]) == len("2026-01")
        try:
            begins = date.fromisoformat(f"{form['period']}-01" if is_month else form["period"])
        except ValueError as error:
            raise self.make_error("invalid") from error
        if form["environment"] is not None:
            kind = MonthPlace if is_month else DayPlace
            return kind(begins, identifier, form["environment"])
        if is_month:
            raise self.make_error("invalid")
        return KeyPlace(begins, identifier)


class FeedCursor(fields.Field[int]):
    """Where the feed of events goes on: after a place. 0 is its beginning."""

    default_error_messages = {
        **MESSAGES,
        "invalid": "Must be the meta.next_cursor of a page of this feed",
    }
    # A place is a BIGINT.
    _MOST = (1 << 63) - 1

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> int:
        try:
            place = decode_id(FEED, value).int
        except ValueError as error:
            raise self.make_error("invalid") from error
        if place > self._MOST:
            raise self.make_error("invalid")
        return place


def encode_cursor(
    cursor: uuid.UUID | KeyPlace | DayPlace | MonthPlace | int | None,
) -> str | None:
    """What Cursor, UsageCursor and FeedCursor load again."""
    if cursor is None:
        return None
    if isinstance(cursor, int):
        return f"{FEED}_{encode_suffix(cursor)}"
    if isinstance(cursor, uuid.UUID):
        return encode_suffix(cursor.int)
    begins, identifier, *environment = cursor
    period = begins.isoformat()
    if isinstance(cursor, MonthPlace):
        period = period[: len("2026-01")]
    return ".".join([period, encode_suffix(identifier.int), *environment])
