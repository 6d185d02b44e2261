"""Reservations that are settled, and use that is reported afterwards."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from ragauth.schemas.about import about
from ragauth.schemas.amounts import BodyAmounts
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Moment, Text
from ragauth.security.identifiers import KEY, decode_id
from ragauth.services.limits.reports import MalformedEvent, UsageEvent

MOST_EVENTS = 1000
_LONGEST_EVENT_ID = 128


class SettlementSchema(RequestSchema):
    reservation_id = Text(
        maximum=200,
        required=True,
        **about("What the answer to the check told.", "rsv_AZPKq0v6dB2mzR0CkV0yT"),
    )
    use = BodyAmounts(
        is_new=False,
        required=True,
        **about(
            "What was used of each reserved meter; 0 of one that is left out.", {"tokens": 812}
        ),
    )


class SettledSchema(Schema):
    reservation_id = fields.String(
        required=True, **about("Which reservation.", "rsv_AZPKq0v6dB2mzR0CkV0yT")
    )
    used = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        **about("What it came to, by meter.", {"tokens": 812}),
    )
    released = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        **about("What was given back, by meter; never negative.", {"tokens": 3188}),
    )


class UsageEventSchema(RequestSchema):
    """What a key used, at a time of the last 48 hours."""

    id = Text(
        minimum=1,
        maximum=_LONGEST_EVENT_ID,
        required=True,
        **about("Your name for it, unique in the account: it counts once in 48 hours.", "job-1"),
    )
    key_id = Text(
        maximum=1000, required=True, **about("Which key.", "key_01h455vb4pex5vsknk084sn02q")
    )
    use = BodyAmounts(is_new=False, required=True, **about("Amounts by meter.", {"tokens": 812}))
    at = Moment(load_default=None, allow_none=True, **about("When it was used; now if left out."))


class UsageEvents(fields.List[Any]):
    """The events, each judged alone: one that is malformed does not keep the others back."""

    default_error_messages = {
        "required": "Required",
        "null": "May not be null",
        "invalid": "Not a list",
    }
    minimum = 1
    maximum = MOST_EVENTS

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields.Nested(UsageEventSchema), **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_kwargs: Any
    ) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not 1 <= len(value) <= MOST_EVENTS:
            raise ValidationError(f"Must have 1 to {MOST_EVENTS} entries")
        schema: Schema = self.inner.schema  # type: ignore[attr-defined]
        return [_load(schema, item) for item in value]


def _load(schema: Schema, item: Any) -> UsageEvent | MalformedEvent:
    try:
        loaded = schema.load(item)
    except ValidationError as error:
        valid = error.valid_data if isinstance(error.valid_data, dict) else {}
        return MalformedEvent(valid.get("id"))
    return UsageEvent(loaded["id"], _key_id(loaded["key_id"]), dict(loaded["use"]), loaded["at"])


def _key_id(text: str) -> Any:
    try:
        return decode_id(KEY, text)
    except ValueError:
        return None


class UsageReportSchema(RequestSchema):
    """Use of any keys, of any accounts; an event that is faulty is rejected alone."""

    events = UsageEvents(required=True, **about("1 to 1,000 events of the last 48 hours."))


class RejectedEventSchema(Schema):
    id = fields.String(
        required=True, allow_none=True, **about("The event's id, if it had one.", "job-2")
    )
    reason = fields.String(
        required=True,
        **about(
            "Why it was not counted.",
            "unknown_key",
            enum=["unknown_key", "unknown_meter", "too_old", "in_future", "malformed"],
        ),
    )


class ReportedSchema(Schema):
    accepted = fields.Integer(required=True, **about("How many were counted now.", 1))
    known = fields.Integer(required=True, **about("How many had been counted before.", 0))
    rejected = fields.List(
        fields.Nested(RejectedEventSchema),
        required=True,
        **about("Those that were not counted, in the order of the request."),
    )
