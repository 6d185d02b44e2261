"""Sessions and their tokens."""

from marshmallow import Schema, fields

from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Id, Moment, QueryFlag, Text
from ragauth.security.identifiers import SESSION


class TokenPairSchema(Schema):
    token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True)


class LoginResultSchema(Schema):
    """A token pair and the account that it is for."""

    token = fields.String(required=True, attribute="tokens.token")
    refresh_token = fields.String(required=True, attribute="tokens.refresh_token")
    token_type = fields.String(required=True, attribute="tokens.token_type")
    expires_in = fields.Integer(required=True, attribute="tokens.expires_in")
    account = fields.Nested(AccountSchema, required=True)


class SignupResultSchema(LoginResultSchema):
    api_key = fields.String(required=True)


class RefreshSchema(RequestSchema):
    refresh_token = Text(maximum=8192, required=True)


class SessionSchema(Schema):
    id = Id(SESSION, required=True)
    created_at = Moment(required=True)
    last_used_at = Moment(required=True)
    expires_at = Moment(required=True)
    ip = fields.String(required=True, allow_none=True)
    user_agent = fields.String(required=True, allow_none=True)
    current = fields.Boolean(required=True)


class EndSessionsQuery(RequestSchema):
    all = QueryFlag(load_default=False)
