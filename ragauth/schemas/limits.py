"""Limits, as owners set them on keys and operators on accounts, and how much of them is used."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from ragauth.extensions import current_policy
from ragauth.policy import read_window
from ragauth.policy.limits import ALWAYS, LARGEST, MOST_LIMITS, NAMED
from ragauth.schemas.about import about
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Choice, Moment, Text, Whole
from ragauth.services.limits.applied import OF_KEY, label_of, read_key_limit

#: What accounts are compared by, beside the meters of the policy.
COMPARED = ("requests", "units")
_WINDOW = "`minute`, `hour`, `10s`, `250ms`, `day`, `month` or `total`."
_ALWAYS_OR_NAMED = "`named` counts only for checks that name it; else `always`."


class DeclaredMeter(Text):
    """The name of a meter that the policy declares."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=100, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        meters = current_policy().meters
        if text not in meters:
            raise ValidationError(f"There is no such meter; there are: {', '.join(meters)}")
        return text


class ComparedMeter(Text):
    """`units`, or the name of a meter that the policy declares."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=100, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        choices = dict.fromkeys((*COMPARED, *current_policy().meters))
        if text not in choices:
            raise ValidationError(f"Must be one of {', '.join(choices)}")
        return text


class WindowName(Text):
    """A window; loaded as the one name that it has."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=100, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        try:
            return read_window(super()._deserialize(*args, **kwargs)).name
        except ValueError as error:
            raise ValidationError(str(error)) from error


class LimitName(Text):
    FORM = re.compile(r"[a-zA-Z0-9_.-]{1,50}")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(maximum=50, **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(*args, **kwargs)
        if self.FORM.fullmatch(text) is None:
            raise ValidationError("Must be 1 to 50 letters (a-z, A-Z), digits, `_`, `.` and `-`")
        return text


class KeyLimitSchema(RequestSchema):
    """A limit of a key: so much of a meter in a window."""

    meter = DeclaredMeter(required=True, **about("What is counted.", "requests"))
    window = WindowName(required=True, **about(_WINDOW, "minute"))
    size = Whole(minimum=0, maximum=LARGEST, required=True, **about("How much of it.", 10))
    name = LimitName(
        allow_none=True, **about("What a check calls it; different for each limit of the key.")
    )
    applies = Choice(ALWAYS, NAMED, allow_none=True, **about(_ALWAYS_OR_NAMED))


class AccountLimitSchema(RequestSchema):
    """A limit of an account: it replaces the plan's of the same meter and window."""

    meter = DeclaredMeter(required=True, **about("What is counted.", "requests"))
    window = WindowName(required=True, **about(_WINDOW, "minute"))
    size = Whole(
        minimum=0,
        maximum=LARGEST,
        required=True,
        allow_none=True,
        **about("How much of it; null for no limit.", 600),
    )


class _Limits(fields.List[Any]):
    """A list of limits whose members fit each other; loaded without what is null."""

    default_error_messages = {"invalid": "Not a list", "null": "May not be null"}
    minimum = 0
    maximum = MOST_LIMITS

    def __init__(self, schema: type[RequestSchema], **kwargs: Any) -> None:
        nested = fields.Nested(schema, error_messages={"null": "May not be null"})
        super().__init__(nested, allow_none=True, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if len(value) > MOST_LIMITS:
            raise ValidationError(f"Must have at most {MOST_LIMITS} entries")
        loaded: dict[int, dict[str, Any]] = {}
        faults: dict[int | str, Any] = {}
        for position, item in enumerate(value):
            try:
                loaded[position] = self._load_one(item)
            except ValidationError as error:
                faults[position] = error.messages
        for position, name, words in self._clashes(loaded):
            faults[position] = {name: [words]}
        if faults:
            raise ValidationError(faults)
        return [*loaded.values()]

    def _load_one(self, item: Any) -> dict[str, Any]:
        return dict(self.inner.deserialize(item))

    def _clashes(self, limits: Mapping[int, dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
        """The position and field of each limit that cannot stand beside those before it."""
        seen = set()
        for position, limit in limits.items():
            place = (limit["meter"], limit["window"], limit.get("name"))
            if place in seen:
                yield position, "window", "There is a limit of this meter and window already"
            seen.add(place)


class AccountLimitList(_Limits):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(AccountLimitSchema, **kwargs)


class KeyLimitList(_Limits):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(KeyLimitSchema, **kwargs)

    def _load_one(self, item: Any) -> dict[str, Any]:
        limit = super()._load_one(item)
        limit = {name: value for name, value in limit.items() if value is not None}
        if limit.get("applies") == NAMED and "name" not in limit:
            raise ValidationError({"name": ["Required for a limit that checks must name"]})
        return limit

    def _clashes(self, limits: Mapping[int, dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
        yield from super()._clashes(limits)
        # The label is what the RateLimit headers call it.
        seen: dict[str, tuple[str, str, str | None]] = {}
        for position, stored in limits.items():
            place = (stored["meter"], stored["window"], stored.get("name"))
            label = label_of(read_key_limit(stored), OF_KEY)
            if seen.setdefault(label, place) != place:
                yield position, "name", "Another limit of the key is called so already"


def key_limits() -> KeyLimitList:
    text = "Limits of this key, beside the account's; null for none."
    return KeyLimitList(**about(text, [{"meter": "requests", "window": "minute", "size": 10}]))


class ShownLimitSchema(Schema):
    """A limit that was set on a key or an account."""

    meter = fields.String(required=True, **about("What is counted.", "requests"))
    window = fields.String(required=True, **about(_WINDOW, "minute"))
    size = fields.Integer(required=True, **about("How much of it.", 10))


class ShownKeyLimitSchema(ShownLimitSchema):
    name = fields.String(**about("What a check calls it.", "burst"))
    applies = fields.String(**about(_ALWAYS_OR_NAMED, "always"))


class ShownAccountLimitSchema(ShownLimitSchema):
    size = fields.Integer(
        required=True, allow_none=True, **about("How much of it; null for no limit.", 600)
    )


class QuotaSchema(Schema):
    """A limit that applies, and how much of it is used."""

    meter = fields.String(required=True, **about("What is counted.", "requests"))
    window = fields.String(required=True, **about(_WINDOW, "month"))
    name = fields.String(
        required=True, allow_none=True, **about("What a check calls it; null for none.", None)
    )
    of = fields.String(
        required=True, **about("Whose it is: the `account`'s or the `key`'s own.", "account")
    )
    environment = fields.String(
        required=True, **about("`live` or `test`, which count apart.", "live")
    )
    size = fields.Integer(required=True, **about("How much it allows.", 1000))
    used = fields.Integer(required=True, **about("How much was counted.", 1))
    remaining = fields.Integer(required=True, **about("What is left.", 999))
    resets_at = Moment(
        required=True,
        allow_none=True,
        **about("When its window is over; null for a total.", "2026-03-01T00:00:00Z"),
    )
