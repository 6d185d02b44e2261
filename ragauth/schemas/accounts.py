"""Accounts and what is done with them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validates_schema

from ragauth.schemas.about import about
from ragauth.schemas.account_fields import Email, NewPassword, PresentedPassword, Username
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Flag, Id, Moment, Name, Text
from ragauth.security.identifiers import ACCOUNT
from ragauth.security.passwords import find_weakness


class AccountSchema(Schema):
    id = Id(ACCOUNT, required=True, **about("Names the account for good."))
    email = fields.String(
        required=True,
        allow_none=True,
        **about(
            "The address, as it was given; null where only an external id was.", "dev@example.com"
        ),
    )
    username = fields.String(
        required=True,
        allow_none=True,
        **about("A second name to log in with; null if there is none.", "janedev"),
    )
    name = fields.String(
        required=True, allow_none=True, **about("A display name.", "Jane Developer")
    )
    plan = fields.String(
        required=True,
        **about(
            "Which limits apply: `trial`, `starter`, `pro`, `scale`, or the operator's own.",
            "trial",
        ),
    )
    email_verified = fields.Boolean(
        required=True, **about("Whether the address was confirmed.", False)
    )
    created_at = Moment(required=True, **about("When the account was made."))


class SignupSchema(RequestSchema):
    email = Email(required=True, **about("The account's address.", "dev@example.com"))
    password = NewPassword(
        required=True,
        **about(
            "Any 8 to 128 characters that are not on a list of well-known passwords.",
            "your-secure-password",
        ),
    )
    name = Name(
        maximum=256,
        load_default=None,
        allow_none=True,
        **about("A display name.", "Jane Developer"),
    )
    username = Username(
        load_default=None,
        allow_none=True,
        **about("3 to 50 letters and digits, for logging in without the address."),
    )

    @validates_schema(skip_on_field_errors=False)
    def _is_hard_to_guess(self, data: dict[str, str | None], **_kwargs: object) -> None:
        """Here and not in the service alone, so that it is told beside the other faults."""
        own_words = [data.get("email"), data.get("username"), data.get("name")]
        weakness = find_weakness(data.get("password") or "", own_words)
        if weakness is not None:
            raise ValidationError(weakness, "password")


class LoginSchema(RequestSchema):
    """An e-mail or a username, and the password."""

    # The password and one of the two. Said with `oneOf`, it makes generators lose the fields.
    json_rules: ClassVar[dict[str, Any]] = {"minProperties": 2, "maxProperties": 2}

    email = Text(
        maximum=1000, **about("The account's address; this or `username`.", "dev@example.com")
    )
    username = Text(maximum=1000, **about("The account's username; this or `email`."))
    password = PresentedPassword(
        required=True, **about("The account's password.", "your-secure-password")
    )

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
    name = Name(
        maximum=256,
        allow_none=True,
        **about("A display name; null takes it away.", "Jane Developer"),
    )
    username = Username(
        allow_none=True, **about("3 to 50 letters and digits; null takes it away.", "janedev")
    )
    limit_mails = Flag(
        **about("Whether a mail tells that a limit of a day or month is nearly used up.", False)
    )


class PasswordSchema(RequestSchema):
    password = PresentedPassword(
        required=True, **about("The account's password, once more.", "your-secure-password")
    )
