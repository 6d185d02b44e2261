"""What a service of the operator's sees and sets."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validates_schema

from ragauth.policy import FIRST_PLAN
from ragauth.schemas.about import about
from ragauth.schemas.account_fields import Email, ExternalId
from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.base import PageQuery, RequestSchema
from ragauth.schemas.fields import Choice, Name, Text
from ragauth.schemas.limits import AccountLimitList, ShownAccountLimitSchema
from ragauth.schemas.metadata import Metadata


class AccountsQuery(PageQuery):
    """All of these must fit."""

    search = Text(
        minimum=1,
        maximum=256,
        load_default=None,
        **about(
            "Only accounts with this in `email`, `username`, `name` or `external_id`, in upper or "
            "lower case, or with an `id` that begins so.",
            "acme",
        ),
    )
    email = Text(maximum=1000, load_default=None, **about("Only the account with this address."))
    external_id = Text(
        maximum=1000, load_default=None, **about("Only the account that you call so.")
    )
    plan = Text(maximum=50, load_default=None, **about("Only accounts on this plan."))
    status = Choice(
        "active", "suspended", load_default=None, **about("Only accounts of this status.")
    )


class InternalAccountSchema(AccountSchema):
    status = fields.String(required=True, **about("`active`, `suspended` or `deleted`.", "active"))
    limits = fields.List(
        fields.Nested(ShownAccountLimitSchema),
        required=True,
        allow_none=True,
        **about("What replaces limits of its plan; null for nothing.", None),
    )
    external_id = fields.String(
        required=True, allow_none=True, **about("What you call it; null for nothing.", "c-17")
    )
    metadata = fields.Dict(
        required=True,
        allow_none=True,
        attribute="own_data",
        **about("What you keep with it; null for none.", {"crm": 42}),
    )


class _Kept(RequestSchema):
    """What operators set with an account, when it is made and later."""

    limits = AccountLimitList(
        **about(
            "Limits that replace the plan's of the same meter and window; null for none.",
            [{"meter": "requests", "window": "minute", "size": 600}],
        )
    )
    external_id = ExternalId(
        allow_none=True,
        **about("What you call it, unlike any other account; null for nothing.", "c-17"),
    )
    metadata = Metadata(
        allow_none=True,
        **about(
            "What you keep with it, in place of what was kept: as a key's `metadata`; null for "
            "none.",
            {"crm": 42},
        ),
    )


class NewInternalAccountSchema(_Kept):
    """One of `external_id` and `email`, or both."""

    email = Email(
        load_default=None,
        allow_none=True,
        **about("Its owner's address. No mail goes there.", "dev@example.com"),
    )
    name = Name(
        maximum=256,
        load_default=None,
        allow_none=True,
        **about("A display name.", "Jane Developer"),
    )
    plan = Text(maximum=50, load_default=FIRST_PLAN, **about("The name of a plan.", "pro"))

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _has_a_name(self, _data: dict[str, Any], presented: object, **_kwargs: object) -> None:
        if not isinstance(presented, Mapping):
            return
        if presented.get("external_id") is None and presented.get("email") is None:
            message = "Give external_id or email, or both"
            raise ValidationError({"external_id": [message], "email": [message]})


class InternalAccountChangesSchema(_Kept):
    plan = Text(maximum=50, **about("The name of a plan.", "pro"))
    status = Choice(
        "active",
        "suspended",
        **about("`suspended` refuses every key and token of the account at once.", "active"),
    )
