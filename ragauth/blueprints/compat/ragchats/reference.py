"""What RAG Chats' face says of itself in its OpenAPI document."""

from ragauth.blueprints.compat.ragchats.errors import body_of
from ragauth.web.guards import ACCESS_TOKEN, API_KEY
from ragauth.web.openapi import DocumentedFace, Rendering

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
    rendering=Rendering(
        error=body_of,
        error_name=lambda error: body_of(error)["error"],
        error_schema=lambda _errors: {"$ref": "#/components/schemas/Failure"},
        components={
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
        },
    ),
)
