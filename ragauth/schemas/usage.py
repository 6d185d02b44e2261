"""Usage by day and key."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from ragauth.schemas.about import about
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Day, DayCursor, Id, QueryWhole
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
