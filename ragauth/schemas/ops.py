"""What the operator's probes read."""

from marshmallow import Schema, fields

from ragauth.schemas.about import about


class HealthSchema(Schema):
    status = fields.String(required=True, **about("`ok`, or `degraded`.", "ok"))
    checks = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        **about(
            "What is needed, by name, and its state: `ok`, or what is wrong.",
            {"database": "ok", "counters": "ok", "usage": "ok", "mail": "ok"},
        ),
    )
