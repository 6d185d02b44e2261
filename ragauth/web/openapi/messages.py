"""The messages to webhooks, as OpenAPI 3.1 documents them beside the paths."""

from typing import Any

from ragauth.services.webhooks.types import TOLD

_TIMESTAMP = "2026-01-15T10:30:00.123456Z"
_JSON_TYPES = {str: "string", int: "integer", bool: "boolean"}
_HEADERS = {
    "webhook-id": ("string", "Names the message; the same in each attempt."),
    "webhook-timestamp": ("integer", "When this attempt was made, in Unix seconds."),
    "webhook-signature": ("string", "`v1,` and a signature in base64, one for each secret."),
}


def document_messages(tag: str) -> dict[str, Any]:
    """The `webhooks` of a document, by type."""
    return {
        kind.value: {
            "post": {
                "operationId": _operation_id(kind.value),
                "summary": told.sentence,
                "tags": [tag],
                "security": [],
                "parameters": [
                    {
                        "name": name,
                        "in": "header",
                        "required": True,
                        "schema": {"type": json_type},
                        "description": description,
                    }
                    for name, (json_type, description) in _HEADERS.items()
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": _content(kind.value, told.example)},
                },
                "responses": {
                    "2XX": {"description": "The message was taken."},
                    "410": {"description": "Switches the webhook off."},
                    "default": {"description": "The message is sent again later."},
                },
            }
        }
        for kind, told in TOLD.items()
    }


def _content(kind: str, example: dict[str, Any]) -> dict[str, Any]:
    data = {"type": "object", "properties": {name: _field(name, example[name]) for name in example}}
    return {
        "schema": {
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": {"type": "string", "const": kind},
                "timestamp": {"type": "string", "format": "date-time"},
                "data": data,
            },
        },
        "example": {"type": kind, "timestamp": _TIMESTAMP, "data": example},
    }


def _field(name: str, example: Any) -> dict[str, Any]:
    # Of a service's own key, and of a test, it is null.
    return {"type": ["string", "null"] if name == "account_id" else _JSON_TYPES[type(example)]}


def _operation_id(kind: str) -> str:
    """`api_key.plan_changed` is `onApiKeyPlanChanged`."""
    return "on" + "".join(word.capitalize() for word in kind.replace(".", "_").split("_"))
