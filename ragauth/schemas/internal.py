"""What a service of the operator's sees and sets."""

from marshmallow import fields

from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.base import PageQuery, RequestSchema
from ragauth.schemas.fields import Choice, Text


class AccountsQuery(PageQuery):
    email = Text(maximum=1000, load_default=None)


class InternalAccountSchema(AccountSchema):
    status = fields.String(required=True)


class InternalAccountChangesSchema(RequestSchema):
    plan = Text(maximum=50)
    status = Choice("active", "suspended")
