"""Agents."""

from marshmallow import Schema, fields

from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Id, Moment, Text
from ragauth.security.identifiers import AGENT


class AgentSchema(Schema):
    id = Id(AGENT, required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    created_at = Moment(required=True)


class NewAgentSchema(RequestSchema):
    name = Text(minimum=1, maximum=100, required=True)
    description = Text(maximum=1000, load_default=None, allow_none=True)


class AgentChangesSchema(RequestSchema):
    name = Text(minimum=1, maximum=100)
    description = Text(maximum=1000, allow_none=True)
