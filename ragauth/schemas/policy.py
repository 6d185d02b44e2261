"""The policy, as the operator's own systems see it."""

from marshmallow import Schema, fields

from ragauth.schemas.about import about
from ragauth.schemas.limits import ShownLimitSchema


class PlanLimitSchema(ShownLimitSchema):
    window = fields.String(
        required=True,
        attribute="window.name",
        **about("`minute`, `hour`, `10s`, `250ms`, `day`, `month` or `total`.", "minute"),
    )


class PlanSchema(Schema):
    name = fields.String(required=True, **about("As accounts name it.", "pro"))
    max_keys = fields.Integer(required=True, **about("Live keys at a time.", 50))
    max_agents = fields.Integer(required=True, **about("Agents at a time.", 100))
    limits = fields.List(
        fields.Nested(PlanLimitSchema), required=True, **about("Of all keys of an account.")
    )
    features = fields.List(
        fields.String(), required=True, **about("Words that services are told.", ["rerank"])
    )


class MeterSchema(Schema):
    name = fields.String(required=True, **about("As limits name it.", "requests"))
    description = fields.String(required=True, **about("What is counted.", "Allowed checks"))


class PolicySchema(Schema):
    plans = fields.List(fields.Nested(PlanSchema), required=True, **about("In the file's order."))
    meters = fields.List(
        fields.Nested(MeterSchema), required=True, **about("`requests`, and those of the file.")
    )
