"""Questions about a key, and their answers."""

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, pre_load

from ragauth.schemas.about import IN_EXAMPLE, about
from ragauth.schemas.accounts import AccountSchema
from ragauth.schemas.amounts import BodyAmounts, NamedLimits, QueryAmounts, QueryNames
from ragauth.schemas.api_keys import KeySchema
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import AnyText, Choice, Id, QueryWhole, Text, Whole
from ragauth.schemas.key_fields import PresentedOrigin
from ragauth.schemas.limits import QuotaSchema
from ragauth.schemas.scope_fields import AskedScopes
from ragauth.schemas.usage import RemainingSchema
from ragauth.security.identifiers import AGENT

MAX_COST = 10_000
_COST = "What it takes of requests in a day, a month and in total; 1 of shorter windows."


class AuthorizeQuery(RequestSchema):
    """Gateways put the question into the query; what else stands there is the client's."""

    scope = AskedScopes(load_default=())
    agent_id = Id(AGENT, load_default=None, **about("Which agent the request is for."))
    cost = QueryWhole(minimum=0, maximum=MAX_COST, load_default=1, **about(_COST))
    use = QueryAmounts(
        load_default=(),
        **about("What it uses of a meter, `tokens:1200`; once for each meter."),
    )
    reserve = QueryAmounts(
        load_default=(),
        **about("What it reserves of a meter, `tokens:4000`, until it is settled."),
    )
    limit = QueryNames(
        load_default=(),
        **about("A limit of the key that counts only where it is named; may be repeated."),
    )
    on_limit = Choice(
        "429",
        "403",
        load_default="429",
        **about("The status where a limit refuses; nginx needs `403`."),
    )

    class Meta:
        unknown = EXCLUDE


class VerifySchema(RequestSchema):
    """A null in an optional field is as if the field were absent."""

    key = AnyText(
        required=True,
        **about(
            "The key that was presented to you: any string, for what is no key is refused as one.",
            "rag_live_abc123def456...",
        ),
    )
    scope = AskedScopes(load_default=(), allow_none=True, metadata={IN_EXAMPLE: True})
    agent_id = Id(
        AGENT, load_default=None, allow_none=True, **about("Which agent the request is for.")
    )
    cost = Whole(
        minimum=0,
        maximum=MAX_COST,
        load_default=1,
        allow_none=True,
        **about(_COST, 1),
    )
    use = BodyAmounts(
        load_default=(), allow_none=True, **about("What it uses of other meters, by meter.")
    )
    reserve = BodyAmounts(
        load_default=(),
        allow_none=True,
        **about("What it reserves of them, until the reservation is settled."),
    )
    limits = NamedLimits(
        load_default=(),
        allow_none=True,
        **about("Limits of the key that a check must name; of an unknown name it has none."),
    )
    client_ip = Text(
        maximum=100,
        load_default=None,
        allow_none=True,
        **about("Where your client calls from.", "203.0.113.7"),
    )
    origin = PresentedOrigin(
        maximum=1000,
        load_default=None,
        allow_none=True,
        **about("The `Origin` that your client sent."),
    )

    @pre_load
    def _leave_out_nulls(self, presented: dict[str, Any], **_options: object) -> dict[str, Any]:
        optional = {name for name, field in self.fields.items() if not field.required}
        return {
            name: value
            for name, value in presented.items()
            if value is not None or name not in optional
        }


class VerdictSchema(Schema):
    valid = fields.Boolean(required=True, **about("Whether the key may do it.", True))
    code = fields.String(required=True, **about("`VALID`, or the code of the refusal.", "VALID"))
    reason = fields.String(
        required=True, allow_none=True, **about("The refusal's `details.reason`.", None)
    )
    message = fields.String(
        required=True, allow_none=True, **about("Why it was refused, for a person.", None)
    )
    details = fields.Dict(
        keys=fields.String(),
        required=True,
        allow_none=True,
        **about("The refusal's details, as in its envelope.", None),
    )
    status = fields.Integer(required=True, **about("The status to relay to your client.", 200))
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        **about(
            "The headers to relay to your client.",
            {"RateLimit": '"minute";r=59;t=30, "month";r=999;t=769596'},
        ),
    )
    body = fields.Raw(
        required=True,
        allow_none=True,
        **about(
            "The body to relay to your client: the envelope of the refusal, null when valid.",
            None,
            anyOf=[{"$ref": "#/components/schemas/Error"}, {"type": "null"}],
        ),
    )
    account_id = fields.String(
        required=True,
        allow_none=True,
        **about("Whose key it is.", "acc_01h455vb4pex5vsknk084sn02q"),
    )
    key_id = fields.String(
        required=True,
        allow_none=True,
        **about("Which key it is.", "key_01h455vb4pex5vsknk084sn02q"),
    )
    agent_id = fields.String(
        required=True, allow_none=True, **about("The agent that it is bound to.", None)
    )
    plan = fields.String(required=True, allow_none=True, **about("The account's plan.", "trial"))
    features = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        **about("The features of the account's plan.", []),
    )
    scopes = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        **about("What it may be used for.", ["query", "ingest", "manage"]),
    )
    environment = fields.String(
        required=True, allow_none=True, **about("`live` or `test`.", "live")
    )
    expires_at = fields.String(required=True, allow_none=True, **about("When the key ends.", None))
    metadata = fields.Dict(
        keys=fields.String(),
        required=True,
        allow_none=True,
        **about("What the key's owner noted on it.", None),
    )
    reservation_id = fields.String(
        required=True,
        allow_none=True,
        **about("What to settle the reservation with; null where nothing was reserved.", None),
    )


class PresentedKeySchema(RequestSchema):
    key = Text(maximum=4096, required=True, **about("The raw key.", "rag_live_abc123def456..."))


class LimitsSchema(Schema):
    requests_per_minute = fields.Integer(
        required=True,
        allow_none=True,
        **about("Of all keys together; null without such a limit.", 60),
    )
    requests_per_month = fields.Integer(
        required=True,
        allow_none=True,
        **about("Of all keys together; null without such a limit.", 1000),
    )


class KeyHolderSchema(Schema):
    """Who holds the key; a service's own key has no account."""

    account = fields.Nested(
        AccountSchema,
        required=True,
        allow_none=True,
        **about("Whose key it is; null for a service's own."),
    )
    key = fields.Nested(KeySchema, required=True, **about("The key."))
    limits = fields.Nested(
        LimitsSchema,
        required=True,
        allow_none=True,
        **about("The account's requests a minute and a month; null for a service's key."),
    )
    usage = fields.Nested(
        RemainingSchema,
        required=True,
        allow_none=True,
        **about("What is used and left; null for a service's key."),
    )
    quotas = fields.List(
        fields.Nested(QuotaSchema),
        required=True,
        allow_none=True,
        **about("Every limit that applies to the key; null for a service's key."),
    )
