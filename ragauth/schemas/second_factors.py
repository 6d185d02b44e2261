"""Second factors, and the answers of a login that may ask for one."""

from collections.abc import Mapping
from typing import ClassVar

from marshmallow import Schema, fields

from ragauth.schemas.accounts import PasswordSchema
from ragauth.schemas.base import EitherSchema, RequestSchema
from ragauth.schemas.fields import Moment, Text
from ragauth.schemas.sessions import LoginResultSchema
from ragauth.services.accounts import LoggedIn
from ragauth.services.second_factors import SecondFactorRequired

_CODE_LENGTH = 100


class EnrolmentSchema(Schema):
    secret = fields.String(required=True)
    provisioning_uri = fields.String(required=True)
    qr_svg = fields.String(required=True)


class RecoveryCodesSchema(Schema):
    recovery_codes = fields.List(fields.String(), required=True)


class SecondFactorSchema(Schema):
    enabled = fields.Boolean(required=True)
    confirmed_at = Moment(required=True, allow_none=True)
    recovery_codes_left = fields.Integer(required=True)


class CodeSchema(RequestSchema):
    """A code of the app, or a recovery code where one is as good: what is wrong is simply wrong."""

    code = Text(maximum=_CODE_LENGTH, required=True)


class PasswordAndCodeSchema(PasswordSchema):
    code = Text(maximum=_CODE_LENGTH, required=True)


class SecondStepSchema(CodeSchema):
    mfa_token = Text(maximum=1000, required=True)


class SecondFactorRequiredSchema(Schema):
    """The password was right; `mfa_token` and a code complete the login."""

    mfa_token = fields.String(required=True)
    expires_in = fields.Integer(required=True)


class LoginAnswerSchema(EitherSchema):
    forms: ClassVar[Mapping[type, type[Schema]]] = {
        LoggedIn: LoginResultSchema,
        SecondFactorRequired: SecondFactorRequiredSchema,
    }
