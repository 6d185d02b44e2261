"""What RST's clients send, and what they are answered."""

from typing import Any

from marshmallow import Schema, fields

from ragauth.schemas.account_fields import Email, NewPassword, PresentedPassword, Username
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Moment, Name, Text
from ragauth.schemas.plain_uuid import PlainUuid


class RstRegistration(RequestSchema):
    username = Username(required=True)
    email = Email(required=True)
    password = NewPassword(required=True)
    full_name = Name(minimum=1, maximum=200, required=True)


class RstUser(Schema):
    """Who has no username, having signed up through another face, logs in with the e-mail.

    An account that an operator made may have neither.
    """

    id = PlainUuid(required=True)
    username = fields.Function(
        lambda account: account.username or account.email or str(account.id),
        required=True,
        metadata={"type": "string"},
    )
    email = fields.String(required=True, allow_none=True)
    full_name = fields.Function(
        lambda account: account.name or "", required=True, metadata={"type": "string"}
    )


class RstLogin(RequestSchema):
    username = Text(maximum=1000, required=True)
    password = PresentedPassword(required=True)


class RstToken(Schema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True)


class RstNewKey(RequestSchema):
    name = Name(minimum=1, maximum=100, required=True)


class RstKey(Schema):
    id = PlainUuid(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True)
    is_active = fields.Boolean(required=True)
    created_at = Moment(required=True)


class RstIssuedKey(RstKey):
    """A new key with its raw form, which is never shown again."""

    raw_key = fields.String(required=True)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if attr == "raw_key" else obj.key, attr, default)
