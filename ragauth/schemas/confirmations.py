"""Passwords that are changed, forgotten and set anew; tokens that came by mail."""

from marshmallow import Schema, fields

from ragauth.schemas.account_fields import Email, NewPassword, PresentedPassword
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Text


class MailToken(Text):
    """A token out of a mail: any string, for what is wrong is simply not valid."""

    def __init__(self) -> None:
        super().__init__(maximum=8192, trimmed=True, required=True)


class AcceptedSchema(Schema):
    """What will be done is not told."""

    accepted = fields.Boolean(required=True)


class PasswordChangeSchema(RequestSchema):
    current_password = PresentedPassword(required=True)
    new_password = NewPassword(required=True)


class PasswordForgottenSchema(RequestSchema):
    email = Email(required=True)


class PasswordResetSchema(RequestSchema):
    token = MailToken()
    new_password = NewPassword(required=True)


class EmailTokenSchema(RequestSchema):
    token = MailToken()


class EmailChangeSchema(RequestSchema):
    new_email = Email(required=True)
    password = PresentedPassword(required=True)
