"""Usage by day and key."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from ragauth.schemas.about import about
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Day, DayCursor, Id, Moment, QueryWhole
from ragauth.security.identifiers import ACCOUNT, KEY


class UsageQuery(RequestSchema):
    """A span of days in UTC, both included; without bounds, the present month."""

    first_day = Day(data_key="from", load_default=None, **about("The first day."))
    last_day = Day(data_key="to", load_default=None, **about("The last day."))
    limit = QueryWhole(minimum=1, maximum=100, load_default=50, **about("How many at most."))
    cursor = DayCursor(load_default=None)

    @validates_schema
    def _begins_before_it_ends(self, data: dict[str, Any], **_kwargs: object) -> None:
        if data["first_day"] and data["last_day"] and data["first_day"] > data["last_day"]:
            raise ValidationError("May not be before `from`", "to")


class AllUsageQuery(UsageQuery):
    account_id = Id(ACCOUNT, load_default=None, **about("Only this account's."))


class UsageSchema(Schema):
    """What one key was used for on one day; `units` is the sum of the costs."""

    day = fields.Date(required=True, **about("The day, in UTC.", "2026-02-16"))
    key_id = Id(KEY, required=True, **about("Which key."))
    environment = fields.String(required=True, **about("`live` or `test`.", "live"))
    requests = fields.Integer(required=True, **about("How often it was used.", 12))
    units = fields.Integer(required=True, **about("The sum of the costs.", 12))


class AccountUsageSchema(UsageSchema):
    account_id = Id(ACCOUNT, required=True, **about("Whose key it is."))


class RemainingSchema(Schema):
    this_month = fields.Integer(
        required=True, **about("What was counted since the month began.", 1)
    )
    remaining = fields.Integer(
        required=True,
        allow_none=True,
        **about("What is left of the month; null for a plan without such a limit.", 999),
    )
    resets_at = Moment(required=True, **about("When the next month begins."))


class MonthsSchema(Schema):
    live = fields.Nested(RemainingSchema, required=True, **about("The month of live keys."))
    test = fields.Nested(
        RemainingSchema,
        required=True,
        **about("The month of test keys; nothing remains where the plan has none."),
    )


class AccountLimitsSchema(Schema):
    """What the plan allows, and what is left of the month."""

    plan = fields.String(required=True, attribute="plan.name", **about("The plan's name.", "trial"))
    requests_per_minute = fields.Integer(
        required=True,
        allow_none=True,
        attribute="plan.requests_per_minute",
        **about("Of all keys together; null without such a limit.", 60),
    )
    requests_per_month = fields.Integer(
        required=True,
        allow_none=True,
        attribute="plan.requests_per_month",
        **about("Of all keys together; null without such a limit.", 1000),
    )
    max_keys = fields.Integer(
        required=True, attribute="plan.max_keys", **about("Live keys at a time.", 5)
    )
    max_agents = fields.Integer(
        required=True, attribute="plan.max_agents", **about("Agents at a time.", 2)
    )
    usage = fields.Nested(MonthsSchema, required=True, **about("Live and test count apart."))
