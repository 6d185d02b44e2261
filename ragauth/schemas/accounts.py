"""Accounts and what is done with them."""

from marshmallow import Schema, ValidationError, fields, validates_schema

from ragauth.schemas.account_fields import Email, NewPassword, PresentedPassword, Username
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Id, Moment, Text
from ragauth.security.identifiers import ACCOUNT


class AccountSchema(Schema):
    id = Id(ACCOUNT, required=True)
    email = fields.String(required=True)
    username = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    plan = fields.String(required=True)
    email_verified = fields.Boolean(required=True)
    created_at = Moment(required=True)


class SignupSchema(RequestSchema):
    email = Email(required=True)
    password = NewPassword(required=True)
    name = Text(maximum=256, load_default=None, allow_none=True)
    username = Username(load_default=None, allow_none=True)


class LoginSchema(RequestSchema):
    """An e-mail or a username, and the password."""

    email = Text(maximum=1000)
    username = Text(maximum=1000)
    password = PresentedPassword(required=True)

    @validates_schema(skip_on_field_errors=False)
    def _names_one_account(self, data: dict[str, str], **_kwargs: object) -> None:
        if "email" in data and "username" in data:
            raise ValidationError("Give email or username, not both", "username")
        if "email" not in data and "username" not in data:
            raise ValidationError("Required", "email")


class ProfileSchema(RequestSchema):
    name = Text(maximum=256, allow_none=True)
    username = Username(allow_none=True)


class PasswordSchema(RequestSchema):
    password = PresentedPassword(required=True)
