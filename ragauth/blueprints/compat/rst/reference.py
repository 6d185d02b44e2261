"""What RST's face says of itself in its OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ragauth.blueprints.compat.rst.errors import body_of, status_of
from ragauth.errors import InvalidRequest, RagauthError
from ragauth.web.guards import ACCESS_TOKEN, API_KEY
from ragauth.web.openapi import DocumentedFace, Rendering


class RstRendering(Rendering):
    components: ClassVar[Mapping[str, Any]] = {
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
    }

    def error(self, error: RagauthError) -> Any:
        return body_of(error)

    def error_schema(self, errors: Sequence[RagauthError]) -> dict[str, Any]:
        has_faults = any(isinstance(error, InvalidRequest) for error in errors)
        return {"$ref": f"#/components/schemas/{'Faults' if has_faults else 'Failure'}"}

    def error_status(self, error: RagauthError) -> int:
        return status_of(error)


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
    rendering=RstRendering(),
)
