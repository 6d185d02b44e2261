"""Usage by day and key."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Day, DayCursor, Id, Moment, QueryWhole
from ragauth.security.identifiers import ACCOUNT, KEY


class UsageQuery(RequestSchema):
    """A span of days in UTC, both included; without bounds, the present month."""

    first_day = Day(data_key="from", load_default=None)
    last_day = Day(data_key="to", load_default=None)
    limit = QueryWhole(minimum=1, maximum=100, load_default=50)
    cursor = DayCursor(load_default=None)

    @validates_schema
    def _begins_before_it_ends(self, data: dict[str, Any], **_kwargs: object) -> None:
        if data["first_day"] and data["last_day"] and data["first_day"] > data["last_day"]:
            raise ValidationError("May not be before `from`", "to")


class AllUsageQuery(UsageQuery):
    account_id = Id(ACCOUNT, load_default=None)


class UsageSchema(Schema):
    """What one key was used for on one day; `units` is the sum of the costs."""

    day = fields.Date(required=True)
    key_id = Id(KEY, required=True)
    environment = fields.String(required=True)
    requests = fields.Integer(required=True)
    units = fields.Integer(required=True)


class AccountUsageSchema(UsageSchema):
    account_id = Id(ACCOUNT, required=True)


class RemainingSchema(Schema):
    this_month = fields.Integer(required=True)
    remaining = fields.Integer(required=True)
    resets_at = Moment(required=True)


class MonthsSchema(Schema):
    live = fields.Nested(RemainingSchema, required=True)
    test = fields.Nested(RemainingSchema, required=True)


class AccountLimitsSchema(Schema):
    """What the plan allows, and what is left of the month."""

    plan = fields.String(required=True, attribute="plan.name")
    requests_per_minute = fields.Integer(required=True, attribute="plan.requests_per_minute")
    requests_per_month = fields.Integer(required=True, attribute="plan.requests_per_month")
    max_keys = fields.Integer(required=True, attribute="plan.max_keys")
    max_agents = fields.Integer(required=True, attribute="plan.max_agents")
    usage = fields.Nested(MonthsSchema, required=True)
