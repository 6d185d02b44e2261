"""Questions about a key, and their answers."""

from marshmallow import EXCLUDE, Schema, fields

from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Choice, Id, QueryWhole, Text, Whole
from ragauth.schemas.usage import RemainingSchema
from ragauth.security.identifiers import AGENT
from ragauth.security.scopes import KEY_SCOPES

MAX_COST = 10_000


class AuthorizeQuery(RequestSchema):
    """Gateways put the question into the query; what else stands there is the client's."""

    scope = Choice(*KEY_SCOPES, load_default=None)
    agent_id = Id(AGENT, load_default=None)
    cost = QueryWhole(minimum=0, maximum=MAX_COST, load_default=1)
    on_limit = Choice("429", "403", load_default="429")

    class Meta:
        unknown = EXCLUDE


class VerifySchema(RequestSchema):
    key = Text(maximum=4096, required=True)
    scope = Choice(*KEY_SCOPES, load_default=None, allow_none=True)
    agent_id = Id(AGENT, load_default=None, allow_none=True)
    cost = Whole(minimum=0, maximum=MAX_COST, load_default=1)
    client_ip = Text(maximum=100, load_default=None, allow_none=True)
    origin = Text(maximum=1000, load_default=None, allow_none=True)


class VerdictSchema(Schema):
    valid = fields.Boolean(required=True)
    code = fields.String(required=True)
    status = fields.Integer(required=True)
    headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    account_id = fields.String(required=True, allow_none=True)
    key_id = fields.String(required=True, allow_none=True)
    agent_id = fields.String(required=True, allow_none=True)
    plan = fields.String(required=True, allow_none=True)
    scopes = fields.List(fields.String(), required=True, allow_none=True)
    environment = fields.String(required=True, allow_none=True)
    expires_at = fields.String(required=True, allow_none=True)


class PresentedKeySchema(RequestSchema):
    key = Text(maximum=4096, required=True)


class LimitsSchema(Schema):
    requests_per_minute = fields.Integer(required=True)
    requests_per_month = fields.Integer(required=True)


class KeyHolderSchema(Schema):
    """Who holds the key; a service's own key has no account."""

    account = fields.Nested(AccountSchema, required=True, allow_none=True)
    key = fields.Nested(KeySchema, required=True)
    limits = fields.Nested(LimitsSchema, required=True, allow_none=True)
    usage = fields.Nested(RemainingSchema, required=True, allow_none=True)
