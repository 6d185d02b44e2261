"""Usage by key and day, by day and by month; what the plan leaves."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validates_schema

from ragauth.models.usage import DayOfKey
from ragauth.models.usage_pages import DayOfAccount, MonthOfAccount
from ragauth.models.usage_places import DayPlace, KeyPlace, MonthPlace
from ragauth.schemas.about import about
from ragauth.schemas.account_fields import AccountName
from ragauth.schemas.base import EitherSchema, RequestSchema
from ragauth.schemas.fields import Choice, Day, Id, Moment, Month, QueryWhole, UsageCursor
from ragauth.schemas.limits import ComparedMeter, QuotaSchema
from ragauth.security.identifiers import ACCOUNT, KEY

_PLACES = {None: KeyPlace, "day": DayPlace, "month": MonthPlace}


class UsageQuery(RequestSchema):
    """A span of days in UTC, both included.

    Without bounds it is the present month, or with `group_by=month` this month and the eleven
    before it.
    """

    first_day = Day(
        data_key="from",
        load_default=None,
        **about(
            "The first day. Left out, the month of the last day begins the span; with"
            " `group_by=month` the eleventh month before it does."
        ),
    )
    last_day = Day(data_key="to", load_default=None, **about("The last day; left out, today."))
    key_id = Id(
        KEY, load_default=None, **about("Only this key's; none for a key that is not there.")
    )
    group_by = Choice(
        "day",
        "month",
        load_default=None,
        **about(
            "A row for each day, or month, and environment, of all keys together; left out, a row"
            " for each day and key. Of a month only the days of the span count."
        ),
    )
    limit = QueryWhole(
        minimum=1,
        maximum=100,
        load_default=None,
        **about("How many at most; left out, 50, and all of the span as `text/csv`."),
    )
    cursor = UsageCursor(load_default=None)

    @validates_schema
    def _begins_before_it_ends(self, data: dict[str, Any], **_kwargs: object) -> None:
        if data["first_day"] and data["last_day"] and data["first_day"] > data["last_day"]:
            raise ValidationError("May not be before `from`", "to")

    @validates_schema
    def _goes_on_with_the_same_rows(self, data: dict[str, Any], **_kwargs: object) -> None:
        if data["cursor"] is not None and type(data["cursor"]) is not _PLACES[data["group_by"]]:
            raise ValidationError("Belongs to another `group_by`", "cursor")


class AllUsageQuery(UsageQuery):
    account_id = AccountName(load_default=None, **about("Only this account's."))


_DAY = about("The day, in UTC.", "2026-02-16")
_ENVIRONMENT = fields.String(required=True, **about("`live` or `test`.", "live"))
_REQUESTS = fields.Integer(required=True, **about("How often it was used.", 12))
_UNITS = fields.Integer(required=True, **about("The sum of the costs.", 12))
_USE = fields.Dict(
    keys=fields.String(),
    values=fields.Integer(),
    required=True,
    **about("What was used of each other meter, less what was released.", {"tokens": 812}),
)


class _RowSchema(Schema):
    json_rules: ClassVar[dict[str, Any]] = {"additionalProperties": False}


class UsageSchema(_RowSchema):
    """What one key was used for on one day; `units` is the sum of the costs."""

    day = fields.Date(required=True, **_DAY)
    key_id = Id(KEY, required=True, **about("Which key."))
    environment = _ENVIRONMENT
    requests = _REQUESTS
    units = _UNITS
    use = _USE


class DayUsageSchema(_RowSchema):
    """What all keys, or the one that was asked for, were used for on one day."""

    day = fields.Date(required=True, attribute="begins", **_DAY)
    environment = _ENVIRONMENT
    requests = _REQUESTS
    units = _UNITS
    use = _USE


class MonthUsageSchema(_RowSchema):
    """What all keys, or the one that was asked for, were used for in one month."""

    month = Month(required=True, attribute="begins", **about("The month, in UTC.", "2026-02"))
    environment = _ENVIRONMENT
    requests = _REQUESTS
    units = _UNITS
    use = _USE


class AnyUsageSchema(EitherSchema):
    forms: ClassVar[Mapping[type, type[Schema]]] = {
        DayOfKey: UsageSchema,
        DayOfAccount: DayUsageSchema,
        MonthOfAccount: MonthUsageSchema,
    }


class AccountUsageSchema(UsageSchema):
    account_id = Id(ACCOUNT, required=True, **about("Whose key it is."))


class AccountDayUsageSchema(DayUsageSchema):
    account_id = Id(ACCOUNT, required=True, **about("Whose keys they are."))


class AccountMonthUsageSchema(MonthUsageSchema):
    account_id = Id(ACCOUNT, required=True, **about("Whose keys they are."))


class AnyAccountUsageSchema(EitherSchema):
    forms: ClassVar[Mapping[type, type[Schema]]] = {
        DayOfKey: AccountUsageSchema,
        DayOfAccount: AccountDayUsageSchema,
        MonthOfAccount: AccountMonthUsageSchema,
    }


class TopUsageQuery(RequestSchema):
    """Which accounts used most, and in how many days."""

    by = ComparedMeter(
        load_default="requests",
        **about("What is compared: `requests`, `units` or another meter.", "requests"),
    )
    days = QueryWhole(
        minimum=1,
        maximum=3660,
        load_default=30,
        **about("How many days, today (UTC) included."),
    )
    limit = QueryWhole(minimum=1, maximum=100, load_default=10, **about("How many at most."))


class TopUsageSchema(_RowSchema):
    """What one account used, live and test keys together."""

    account_id = Id(ACCOUNT, required=True, **about("Whose keys they are."))
    requests = _REQUESTS
    units = _UNITS
    use = _USE


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


class LimitsQuery(RequestSchema):
    key_id = Id(
        KEY,
        load_default=None,
        **about("Among `quotas` are this key's own limits too."),
    )


class AccountLimitsSchema(Schema):
    """What the plan allows, and what is left of the month."""

    plan = fields.String(required=True, attribute="plan.name", **about("The plan's name.", "trial"))
    requests_per_minute = fields.Integer(
        required=True,
        allow_none=True,
        **about("Of all keys together; null without such a limit.", 60),
    )
    requests_per_month = fields.Integer(
        required=True,
        allow_none=True,
        **about("Of all keys together; null without such a limit.", 1000),
    )
    max_keys = fields.Integer(
        required=True, attribute="plan.max_keys", **about("Live keys at a time.", 5)
    )
    max_agents = fields.Integer(
        required=True, attribute="plan.max_agents", **about("Agents at a time.", 2)
    )
    usage = fields.Nested(MonthsSchema, required=True, **about("Live and test count apart."))
    quotas = fields.List(
        fields.Nested(QuotaSchema),
        required=True,
        **about("Every limit of the account, and of the key that was asked for."),
    )
    limit_mails = fields.Boolean(
        required=True,
        **about("Whether a mail tells that a limit of a day or month is nearly used up.", True),
    )
