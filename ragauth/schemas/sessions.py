"""Sessions and their tokens."""

from marshmallow import Schema, fields

from ragauth.schemas.about import about
from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Id, Moment, QueryFlag, Text
from ragauth.security.identifiers import SESSION


class TokenPairSchema(Schema):
    token = fields.String(
        required=True,
        **about("The access token, a JWT.", "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9..."),
    )
    refresh_token = fields.String(
        required=True, **about("Good for one refresh.", "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9...")
    )
    token_type = fields.String(required=True, **about("How to send it.", "Bearer"))
    expires_in = fields.Integer(
        required=True, **about("Seconds until the access token ends.", 3600)
    )


class LoginResultSchema(Schema):
    """A token pair and the account that it is for."""

    token = fields.String(
        required=True,
        attribute="tokens.token",
        **about("The access token, a JWT.", "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9..."),
    )
    refresh_token = fields.String(
        required=True,
        attribute="tokens.refresh_token",
        **about("Good for one refresh.", "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9..."),
    )
    token_type = fields.String(
        required=True, attribute="tokens.token_type", **about("How to send it.", "Bearer")
    )
    expires_in = fields.Integer(
        required=True,
        attribute="tokens.expires_in",
        **about("Seconds until the access token ends.", 3600),
    )
    account = fields.Nested(AccountSchema, required=True, **about("Who logged in."))


class SignupResultSchema(LoginResultSchema):
    api_key = fields.String(
        required=True,
        **about(
            "The account's first API key. Store it now: it is never shown again.",
            "rag_live_abc123def456...",
        ),
    )


class RefreshSchema(RequestSchema):
    refresh_token = Text(
        maximum=8192,
        required=True,
        **about("The last refresh token.", "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9..."),
    )


class AnySessionSchema(Schema):
    """A session of any account, as operators see it."""

    id = Id(SESSION, required=True, **about("Names the session."))
    created_at = Moment(required=True, **about("When it was opened."))
    last_used_at = Moment(required=True, **about("When its tokens were last refreshed."))
    expires_at = Moment(required=True, **about("When it ends if it is not refreshed."))
    ip = fields.String(
        required=True, allow_none=True, **about("Where it was opened from.", "203.0.113.7")
    )
    user_agent = fields.String(
        required=True, allow_none=True, **about("What it was opened with.", "Mozilla/5.0")
    )


class SessionSchema(AnySessionSchema):
    current = fields.Boolean(required=True, **about("Whether it is the one that asks.", True))


class EndSessionsQuery(RequestSchema):
    all = QueryFlag(load_default=False, **about("This session too."))
