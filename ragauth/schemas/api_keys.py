"""API keys and what is done with them."""

from typing import Any

from marshmallow import Schema, fields

from ragauth.schemas.base import PageQuery, RequestSchema
from ragauth.schemas.fields import (
    Choice,
    Flag,
    Id,
    Items,
    Moment,
    QueryFlag,
    QueryWhole,
    Text,
    Whole,
)
from ragauth.schemas.key_fields import Network, Origin
from ragauth.security.identifiers import AGENT, KEY
from ragauth.security.scopes import KEY_SCOPES

MAX_GRACE_SECONDS = 604_800


class KeySchema(Schema):
    id = Id(KEY, required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True)
    kind = fields.String(required=True)
    environment = fields.String(required=True)
    agent_id = Id(AGENT, required=True, allow_none=True)
    scopes = fields.List(fields.String(), required=True, allow_none=True)
    is_active = fields.Boolean(required=True)
    is_primary = fields.Boolean(required=True)
    allowed_ips = fields.List(fields.String(), required=True, allow_none=True)
    allowed_origins = fields.List(fields.String(), required=True, allow_none=True)
    created_at = Moment(required=True)
    expires_at = Moment(required=True, allow_none=True)
    last_used_at = Moment(required=True, allow_none=True)
    replaced_by = Id(KEY, required=True, allow_none=True)


class IssuedKeySchema(KeySchema):
    """A new key with its raw form, which is never shown again."""

    api_key = fields.String(required=True, attribute="raw_key")

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if attr == "raw_key" else obj.key, attr, default)


class RegeneratedKeySchema(Schema):
    api_key = fields.String(required=True, attribute="raw_key")
    key = fields.Nested(KeySchema, required=True)


def _scopes() -> Items:
    return Items(Choice(*KEY_SCOPES), minimum=1, maximum=10, allow_none=True)


def _networks() -> Items:
    return Items(Network(), minimum=1, maximum=50, allow_none=True)


def _origins() -> Items:
    return Items(Origin(), minimum=1, maximum=20, allow_none=True)


class AgentKeySchema(RequestSchema):
    """A new key for the agent in the path."""

    name = Text(minimum=1, maximum=100, required=True)
    kind = Choice("secret", "publishable", load_default="secret")
    environment = Choice("live", "test", load_default="live")
    scopes = _scopes()
    expires_at = Moment(allow_none=True)
    allowed_ips = _networks()
    allowed_origins = _origins()


class NewKeySchema(AgentKeySchema):
    agent_id = Id(AGENT, allow_none=True)


class KeyChangesSchema(RequestSchema):
    name = Text(minimum=1, maximum=100)
    is_active = Flag()
    scopes = _scopes()
    expires_at = Moment(allow_none=True)
    allowed_ips = _networks()
    allowed_origins = _origins()


class RotationSchema(RequestSchema):
    grace_seconds = Whole(minimum=0, maximum=MAX_GRACE_SECONDS, load_default=0)


class AgentKeysQuery(PageQuery):
    include_revoked = QueryFlag(load_default=False)


class KeysQuery(AgentKeysQuery):
    agent_id = Id(AGENT, load_default=None)
    idle_days = QueryWhole(minimum=0, maximum=3650, load_default=None)


class KeyQuery(RequestSchema):
    include_revoked = QueryFlag(load_default=False)
