"""What RAG Chats' face says of itself in its OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ragauth.blueprints.compat.ragchats.errors import body_of
from ragauth.errors import RagauthError
from ragauth.web.guards import ACCESS_TOKEN, API_KEY
from ragauth.web.openapi import DocumentedFace, Rendering


class RagchatsRendering(Rendering):
    components: ClassVar[Mapping[str, Any]] = {
        "Failure": {
            "type": "object",
            "required": ["error", "message", "details"],
            "properties": {
                "error": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "object"},
            },
            "additionalProperties": False,
        }
    }

    def error(self, error: RagauthError) -> Any:
        return body_of(error)

    def error_name(self, error: RagauthError) -> str | None:
        name: str = body_of(error)["error"]
        return name

    def error_schema(self, errors: Sequence[RagauthError]) -> dict[str, Any]:
        return {"$ref": "#/components/schemas/Failure"}


DOCUMENT = DocumentedFace(
    name="compat_ragchats",
    title="ragauth: RAG Chats",
    version="1",
    description="RAG Chats' wire format over ragauth's accounts, sessions, agents and keys.",
    security_schemes={
        ACCESS_TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        API_KEY: {"type": "http", "scheme": "bearer", "description": "An API key."},
    },
    blueprints=frozenset({"compat_ragchats"}),
    rendering=RagchatsRendering(),
)
