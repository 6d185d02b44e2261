"""What a service of the operator's sees and sets."""

from marshmallow import fields

from ragauth.schemas.about import about
from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.base import PageQuery, RequestSchema
from ragauth.schemas.fields import Choice, Text
from ragauth.schemas.limits import AccountLimits, ShownAccountLimitSchema


class AccountsQuery(PageQuery):
    email = Text(maximum=1000, load_default=None, **about("Only the account with this address."))


class InternalAccountSchema(AccountSchema):
    status = fields.String(required=True, **about("`active`, `suspended` or `deleted`.", "active"))
    limits = fields.List(
        fields.Nested(ShownAccountLimitSchema),
        required=True,
        allow_none=True,
        **about("What replaces limits of its plan; null for nothing.", None),
    )


class InternalAccountChangesSchema(RequestSchema):
    plan = Text(maximum=50, **about("The name of a plan.", "pro"))
    status = Choice(
        "active",
        "suspended",
        **about("`suspended` refuses every key and token of the account at once.", "active"),
    )
    limits = AccountLimits(
        **about(
            "Limits that replace the plan's of the same meter and window; null for none.",
            [{"meter": "requests", "window": "minute", "size": 600}],
        )
    )
