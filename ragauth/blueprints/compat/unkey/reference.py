"""What Unkey's face says of itself in its OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ragauth.blueprints.compat.unkey.wording import body_of, media_type_of
from ragauth.errors import RagauthError
from ragauth.web.guards import API_KEY
from ragauth.web.openapi import DocumentedFace, Rendering

_EXAMPLE_ID = "0190163d8694739bb2ea9a2dc9f1f3d8"
_META = {"requestId": _EXAMPLE_ID}
_TEXT = {"type": "string"}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [*properties],
        "properties": properties,
        "additionalProperties": False,
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_PROBLEM = {"detail": _TEXT, "status": {"type": "integer"}, "title": _TEXT, "type": _TEXT}


class UnkeyRendering(Rendering):
    components: ClassVar[Mapping[str, Any]] = {
        "Meta": _object(requestId=_TEXT),
        "Pagination": {
            **_object(hasMore={"type": "boolean"}),
            "properties": {"hasMore": {"type": "boolean"}, "cursor": _TEXT},
        },
        "Fault": _object(location=_TEXT, message=_TEXT),
        "Problem": _object(meta=_reference("Meta"), error=_object(**_PROBLEM)),
        "BadRequest": _object(
            meta=_reference("Meta"),
            error=_object(**_PROBLEM, errors={"type": "array", "items": _reference("Fault")}),
        ),
    }

    def error(self, error: RagauthError) -> Any:
        return body_of(error, _EXAMPLE_ID)

    def error_name(self, error: RagauthError) -> str | None:
        name: str = self.error(error)["error"]["type"].rpartition("/")[2]
        return name

    def error_schema(self, errors: Sequence[RagauthError]) -> dict[str, Any]:
        is_bad = any(error.status == 400 for error in errors)
        return _reference("BadRequest" if is_bad else "Problem")

    def error_media_type(self, status: int) -> str:
        return media_type_of(status)

    def data(self, schema: Any) -> Any:
        return _object(meta=_reference("Meta"), data=schema)

    def page(self, schema: Any) -> Any:
        listed = {"type": "array", "items": schema}
        return _object(meta=_reference("Meta"), data=listed, pagination=_reference("Pagination"))

    def example(self, value: Any) -> Any:
        return {"meta": _META, "data": value}

    def example_page(self, value: Any) -> Any:
        return {"meta": _META, "data": [value], "pagination": {"hasMore": False}}


DOCUMENT = DocumentedFace(
    name="compat_unkey",
    title="ragauth: Unkey",
    version="2",
    description="Unkey's wire format over ragauth's accounts and keys.",
    security_schemes={
        API_KEY: {"type": "http", "scheme": "bearer", "description": "A service's own key."}
    },
    blueprints=frozenset({"compat_unkey"}),
    rendering=UnkeyRendering(),
)
