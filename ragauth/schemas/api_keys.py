"""API keys and what is done with them."""

from typing import Any

from marshmallow import Schema, fields

from ragauth.models.api_keys import LONGEST_PREFIX
from ragauth.policy import MOST_SCOPES
from ragauth.schemas.about import about
from ragauth.schemas.base import PageQuery, RequestSchema
from ragauth.schemas.fields import (
    Choice,
    Flag,
    Id,
    Items,
    Moment,
    Name,
    QueryFlag,
    QueryWhole,
    Text,
    Whole,
)
from ragauth.schemas.key_fields import Network, Origin
from ragauth.schemas.limits import ShownKeyLimitSchema, key_limits
from ragauth.schemas.metadata import Metadata
from ragauth.schemas.scope_fields import GivenScope, ManagedScope
from ragauth.security.identifiers import ACCOUNT, AGENT, KEY

MAX_GRACE_SECONDS = 604_800


class KeySchema(Schema):
    id = Id(
        KEY, required=True, **about("Names the key for good; the key itself is never shown again.")
    )
    name = fields.String(required=True, **about("What its owner calls it.", "my-app-key"))
    prefix = fields.String(required=True, **about("How the raw key begins.", "rag_live_a1b2"))
    kind = fields.String(
        required=True,
        **about(
            "`secret`, or `publishable` for a web page.",
            "secret",
            enum=["secret", "publishable", "service"],
        ),
    )
    environment = fields.String(required=True, **about("`live` or `test`.", "live"))
    agent_id = Id(
        AGENT,
        required=True,
        allow_none=True,
        **about("The agent that it is bound to; null for the whole account.", None),
    )
    scopes = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        **about("What it may be used for; null for all that an owner can give.", None),
    )
    is_active = fields.Boolean(required=True, **about("Whether it is switched on.", True))
    is_primary = fields.Boolean(
        required=True,
        **about("Whether it is the account's first key, or what replaced that.", False),
    )
    allowed_ips = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        **about("The networks that it may be used from; null for any.", None),
    )
    allowed_origins = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        **about("A publishable key's web origins; null for a secret one.", None),
    )
    created_at = Moment(required=True, **about("When it was made."))
    expires_at = Moment(
        required=True, allow_none=True, **about("When it ends; null for never.", None)
    )
    last_used_at = Moment(
        required=True,
        allow_none=True,
        **about("When it was last used, to the minute or so; null for never.", None),
    )
    replaced_by = Id(
        KEY,
        required=True,
        allow_none=True,
        **about("The key that it was rotated into; null for none.", None),
    )
    managed = fields.Boolean(
        required=True,
        attribute="is_managed",
        **about("Whether it is the operator's: its owner may see and revoke it only.", False),
    )
    limits = fields.List(
        fields.Nested(ShownKeyLimitSchema),
        required=True,
        allow_none=True,
        **about("Its own limits, beside the account's; null for none.", None),
    )
    metadata = fields.Dict(
        required=True,
        allow_none=True,
        attribute="own_data",
        **about("What its owner keeps with it; null for none.", {"customer": "c-17"}),
    )


class KeyOfAnAccountSchema(KeySchema):
    """A key among those of all accounts."""

    account_id = Id(ACCOUNT, required=True, **about("Whose it is."))


class IssuedKeySchema(KeySchema):
    """A new key with its raw form, which is never shown again."""

    api_key = fields.String(
        required=True,
        attribute="raw_key",
        **about("The raw key. Store it now: it is never shown again.", "rag_live_abc123def456..."),
    )

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return super().get_attribute(obj if attr == "raw_key" else obj.key, attr, default)


class RegeneratedKeySchema(Schema):
    api_key = fields.String(
        required=True,
        attribute="raw_key",
        **about("The raw key. Store it now: it is never shown again.", "rag_live_abc123def456..."),
    )
    key = fields.Nested(KeySchema, required=True, **about("What may be seen of it later."))


def _scopes(scope: GivenScope) -> Items:
    text = "What it may be used for; null for all that an owner can give."
    return Items(scope, minimum=1, maximum=MOST_SCOPES, allow_none=True, **about(text))


def _networks() -> Items:
    text = "Addresses or networks that it may be used from; null for any."
    return Items(Network(), minimum=1, maximum=50, allow_none=True, **about(text))


def _origins() -> Items:
    text = "A publishable key's web origins; null for a secret one."
    return Items(Origin(), minimum=1, maximum=20, allow_none=True, **about(text))


def _metadata() -> Metadata:
    text = (
        "What you keep with it, told to its holder too: an object of up to 4,096 bytes (compact, "
        "in UTF-8), 50 names in all its objects, and 5 levels, itself the first; null for none."
    )
    return Metadata(allow_none=True, **about(text, {"customer": "c-17"}))


class AgentKeySchema(RequestSchema):
    """A new key for the agent in the path."""

    name = Name(
        minimum=1,
        maximum=100,
        required=True,
        **about("What you call it; need not be unique.", "my-app-key"),
    )
    kind = Choice(
        "secret",
        "publishable",
        load_default="secret",
        **about("`publishable` is for a web page: one agent, few scopes, listed origins."),
    )
    environment = Choice(
        "live",
        "test",
        load_default="live",
        **about("A `test` key counts apart from the live ones."),
    )
    scopes = _scopes(GivenScope())
    expires_at = Moment(allow_none=True, **about("When it shall end, in the future."))
    allowed_ips = _networks()
    allowed_origins = _origins()
    limits = key_limits()
    metadata = _metadata()


class NewKeySchema(AgentKeySchema):
    agent_id = Id(AGENT, allow_none=True, **about("The agent to bind it to."))


class KeyChangesSchema(RequestSchema):
    name = Name(minimum=1, maximum=100, **about("What you call it.", "my-app-key"))
    is_active = Flag(**about("Switch it off, or on again. It keeps its place in the plan.", True))
    scopes = _scopes(GivenScope())
    expires_at = Moment(
        allow_none=True, **about("When it shall end, in the future; null for never.")
    )
    allowed_ips = _networks()
    allowed_origins = _origins()
    limits = key_limits()
    metadata = _metadata()


class NewManagedKeySchema(NewKeySchema):
    scopes = _scopes(ManagedScope())


class ManagedKeyChangesSchema(KeyChangesSchema):
    scopes = _scopes(ManagedScope())


class RotationSchema(RequestSchema):
    grace_seconds = Whole(
        minimum=0,
        maximum=MAX_GRACE_SECONDS,
        load_default=0,
        **about(
            "How long the old key goes on working, or until the new one is replaced: up to a week.",
            3600,
        ),
    )


class AgentKeysQuery(PageQuery):
    include_revoked = QueryFlag(load_default=False, **about("Dead keys too."))


class KeysQuery(AgentKeysQuery):
    agent_id = Id(AGENT, load_default=None, **about("Only the keys of this agent."))
    idle_days = QueryWhole(
        minimum=0,
        maximum=3650,
        load_default=None,
        **about("Only keys that were not used for so many days."),
    )


class KeysOfAllQuery(AgentKeysQuery):
    """Which keys of all accounts."""

    prefix = Text(
        maximum=LONGEST_PREFIX,
        load_default="",
        **about(
            "Only keys whose `prefix` begins so. Never send more of a key: it would stand in the "
            "logs of proxies.",
            "rag_live_a1b2",
        ),
    )


class KeyQuery(RequestSchema):
    include_revoked = QueryFlag(load_default=False, **about("Show it even if it is dead."))
