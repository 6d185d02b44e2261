"""Scopes, as owners of keys see them."""

from marshmallow import Schema, fields

from ragauth.schemas.about import about


class ScopeSchema(Schema):
    name = fields.String(required=True, **about("As keys and questions name it.", "query"))
    description = fields.String(
        required=True, **about("What a key that has it may do.", "Ask questions")
    )
