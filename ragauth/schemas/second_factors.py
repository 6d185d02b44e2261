"""Second factors, and the answers of a login that may ask for one."""

from collections.abc import Mapping
from typing import ClassVar

from marshmallow import Schema, fields

from ragauth.schemas.about import about
from ragauth.schemas.accounts import PasswordSchema
from ragauth.schemas.base import EitherSchema, RequestSchema
from ragauth.schemas.fields import Moment, Text
from ragauth.schemas.sessions import LoginResultSchema
from ragauth.services.accounts.accounts import LoggedIn
from ragauth.services.accounts.second_factors import SecondFactorRequired

_CODE_LENGTH = 100


class EnrolmentSchema(Schema):
    secret = fields.String(
        required=True,
        **about("For typing into an authenticator app.", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
    )
    provisioning_uri = fields.String(
        required=True,
        **about(
            "The same as a link.",
            "otpauth://totp/ragauth:dev%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=ragauth",
        ),
    )
    qr_svg = fields.String(
        required=True, **about("The link as a QR code, an SVG image.", "<svg …>")
    )


class RecoveryCodesSchema(Schema):
    recovery_codes = fields.List(
        fields.String(),
        required=True,
        **about(
            "Each is good for one login without the app.", ["k3m9-x7qd-2wvt", "p8rn-4hzc-6tyb"]
        ),
    )


class SecondFactorSchema(Schema):
    enabled = fields.Boolean(required=True, **about("Whether a login asks for it.", True))
    confirmed_at = Moment(required=True, allow_none=True, **about("Since when."))
    recovery_codes_left = fields.Integer(required=True, **about("How many were not used.", 10))


class CodeSchema(RequestSchema):
    """A code of the app, or a recovery code where one is as good: what is wrong is simply wrong."""

    code = Text(
        maximum=_CODE_LENGTH,
        required=True,
        **about("Six digits of the app, or a recovery code.", "123456"),
    )


class PasswordAndCodeSchema(PasswordSchema):
    code = Text(
        maximum=_CODE_LENGTH,
        required=True,
        **about("Six digits of the app, or a recovery code.", "123456"),
    )


class SecondStepSchema(CodeSchema):
    mfa_token = Text(
        maximum=1000,
        required=True,
        **about("What the first step of the login answered.", "mfa_token of the first step"),
    )


class SecondFactorRequiredSchema(Schema):
    """The password was right; `mfa_token` and a code complete the login."""

    mfa_token = fields.String(
        required=True, **about("Send it to `/login/mfa` with a code.", "eyJhbGciOi...")
    )
    expires_in = fields.Integer(required=True, **about("Seconds until it ends.", 300))


class LoginAnswerSchema(EitherSchema):
    forms: ClassVar[Mapping[type, type[Schema]]] = {
        LoggedIn: LoginResultSchema,
        SecondFactorRequired: SecondFactorRequiredSchema,
    }
