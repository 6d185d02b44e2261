"""What the operator's probes read, and who has nothing but the address."""

from marshmallow import Schema, fields

from ragauth.metrics import WORKS
from ragauth.schemas.about import about


class ServiceSchema(Schema):
    name = fields.String(required=True, **about("What this is.", "ragauth"))
    version = fields.String(required=True, **about("Its version.", "0.1.0"))
    docs = fields.String(required=True, **about("Path of the interactive reference.", "/docs"))
    openapi = fields.String(required=True, **about("Path of this document.", "/openapi.json"))
    health = fields.String(required=True, **about("Path that a probe asks.", "/healthz"))


class HealthSchema(Schema):
    status = fields.String(required=True, **about("`ok`, or `degraded`.", "ok"))
    checks = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        **about(
            "What is needed, by name, and its state: `ok`, or what is wrong.",
            {"database": "ok", "counters": "ok", **dict.fromkeys(WORKS, "ok")},
        ),
    )
