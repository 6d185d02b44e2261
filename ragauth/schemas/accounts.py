"""Accounts and what is done with them."""

from collections.abc import Mapping

from marshmallow import Schema, ValidationError, fields, validates_schema

from ragauth.schemas.account_fields import Email, NewPassword, PresentedPassword, Username
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Id, Moment, Text
from ragauth.security.identifiers import ACCOUNT
from ragauth.security.passwords import find_weakness


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

    @validates_schema(skip_on_field_errors=False)
    def _is_hard_to_guess(self, data: dict[str, str | None], **_kwargs: object) -> None:
        """Here and not in the service alone, so that it is told beside the other faults."""
        own_words = [data.get("email"), data.get("username"), data.get("name")]
        weakness = find_weakness(data.get("password") or "", own_words)
        if weakness is not None:
            raise ValidationError(weakness, "password")


class LoginSchema(RequestSchema):
    """An e-mail or a username, and the password."""

    email = Text(maximum=1000)
    username = Text(maximum=1000)
    password = PresentedPassword(required=True)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _names_one_account(
        self, _data: dict[str, str], presented: object, **_kwargs: object
    ) -> None:
        if not isinstance(presented, Mapping):
            return
        if "email" in presented and "username" in presented:
            raise ValidationError("Give email or username, not both", "username")
        if "email" not in presented and "username" not in presented:
            raise ValidationError("Required", "email")


class ProfileSchema(RequestSchema):
    name = Text(maximum=256, allow_none=True)
    username = Username(allow_none=True)


class PasswordSchema(RequestSchema):
    password = PresentedPassword(required=True)
