"""Passwords that are changed, forgotten and set anew; tokens that came by mail."""

from marshmallow import Schema, ValidationError, fields

from ragauth.schemas.about import about
from ragauth.schemas.account_fields import Email, NewPassword, PresentedPassword
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Text
from ragauth.security.passwords import find_weakness


class MailToken(Text):
    """A token out of a mail: any string, for what is wrong is simply not valid."""

    def __init__(self) -> None:
        super().__init__(
            maximum=8192,
            trimmed=True,
            required=True,
            **about("The token out of the mail.", "the-token-out-of-the-mail"),
        )


def _is_not_well_known(password: str) -> None:
    """Here and not in the service alone, so that it is told beside the other faults."""
    weakness = find_weakness(password, [])
    if weakness is not None:
        raise ValidationError(weakness)


class AcceptedSchema(Schema):
    """What will be done is not told."""

    accepted = fields.Boolean(required=True, **about("Always true.", True))


class PasswordChangeSchema(RequestSchema):
    current_password = PresentedPassword(
        required=True, **about("The password until now.", "your-secure-password")
    )
    new_password = NewPassword(
        required=True,
        validate=_is_not_well_known,
        **about("8 to 128 characters.", "a-still-better-password"),
    )


class PasswordForgottenSchema(RequestSchema):
    email = Email(required=True, **about("The account's address.", "dev@example.com"))


class PasswordResetSchema(RequestSchema):
    token = MailToken()
    new_password = NewPassword(
        required=True,
        validate=_is_not_well_known,
        **about("8 to 128 characters.", "a-still-better-password"),
    )


class EmailTokenSchema(RequestSchema):
    token = MailToken()


class EmailChangeSchema(RequestSchema):
    new_email = Email(required=True, **about("The address to change to.", "jane@example.com"))
    password = PresentedPassword(
        required=True, **about("The account's password, once more.", "your-secure-password")
    )
