"""Agents."""

from marshmallow import Schema, fields

from ragauth.schemas.about import about
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Id, Moment, Name
from ragauth.security.identifiers import AGENT


class AgentSchema(Schema):
    id = Id(AGENT, required=True, **about("Names the agent for good."))
    name = fields.String(required=True, **about("What its owner calls it.", "Support bot"))
    description = fields.String(
        required=True, allow_none=True, **about("What it is for.", "Answers questions about orders")
    )
    created_at = Moment(required=True, **about("When it was made."))


class NewAgentSchema(RequestSchema):
    name = Name(minimum=1, maximum=100, required=True, **about("What you call it.", "Support bot"))
    description = Name(
        has_lines=True,
        maximum=1000,
        load_default=None,
        allow_none=True,
        **about("What it is for.", "Answers questions about orders"),
    )


class AgentChangesSchema(RequestSchema):
    name = Name(minimum=1, maximum=100, **about("What you call it.", "Support bot"))
    description = Name(
        has_lines=True,
        maximum=1000,
        allow_none=True,
        **about("What it is for; null takes it away."),
    )
