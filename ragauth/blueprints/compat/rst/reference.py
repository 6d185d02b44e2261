"""What RST's face says of itself in its OpenAPI document."""

from collections.abc import Sequence

from ragauth.blueprints.compat.rst.errors import body_of, status_of
from ragauth.errors import InvalidRequest, RagauthError
from ragauth.web.guards import ACCESS_TOKEN, API_KEY
from ragauth.web.openapi import DocumentedFace, Rendering


def _error_schema(errors: Sequence[RagauthError]) -> dict[str, str]:
    has_faults = any(isinstance(error, InvalidRequest) for error in errors)
    return {"$ref": f"#/components/schemas/{'Faults' if has_faults else 'Failure'}"}


DOCUMENT = DocumentedFace(
    name="compat_rst",
    title="ragauth: RST",
    version="1",
    description="RST's wire format over ragauth's accounts, sessions and keys.",
    security_schemes={
        ACCESS_TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        API_KEY: {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    },
    blueprints=frozenset({"compat_rst"}),
    rendering=Rendering(
        error=body_of,
        error_schema=_error_schema,
        error_status=status_of,
        components={
            "Failure": {
                "type": "object",
                "required": ["detail"],
                "properties": {"detail": {"type": "string"}},
                "additionalProperties": False,
            },
            "Fault": {
                "type": "object",
                "required": ["type", "loc", "msg"],
                "properties": {
                    "type": {"type": "string"},
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                },
                "additionalProperties": False,
            },
            "Faults": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}}
                },
                "additionalProperties": False,
            },
        },
    ),
)
