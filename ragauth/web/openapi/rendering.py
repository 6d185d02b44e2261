"""A face in a document: which routes it covers, and the form of their answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ragauth.errors import RagauthError
from ragauth.web.envelope import error_body
from ragauth.web.openapi.error_shapes import error_components

JsonSchema = dict[str, Any]


def _in_envelope(data: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"data": data},
        "additionalProperties": False,
    }


def _page_in_envelope(item: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        "required": ["data", "meta"],
        "properties": {
            "data": {"type": "array", "items": item},
            "meta": {"$ref": "#/components/schemas/PageMeta"},
        },
        "additionalProperties": False,
    }


def _example_page(item: Any) -> Any:
    return {"data": [item], "meta": {"next_cursor": None}}


_COMPONENTS: dict[str, JsonSchema] = {
    "PageMeta": {
        "type": "object",
        "description": "Where a list goes on.",
        "required": ["next_cursor"],
        "properties": {
            "next_cursor": {
                "type": ["string", "null"],
                "description": "Send it as `cursor` for the next page; null on the last one.",
            }
        },
        "additionalProperties": False,
    },
}


def _error_reference(_errors: Sequence[RagauthError]) -> JsonSchema:
    return {"$ref": "#/components/schemas/Error"}


def _code_or_reason(error: RagauthError) -> str:
    name: str = error.details.get("reason", error.code)
    return name


def _nameless(_error: RagauthError) -> None:
    return None


def _no_components(_errors: Sequence[RagauthError]) -> dict[str, JsonSchema]:
    return {}


def _bare(value: Any) -> Any:
    return value


def _bare_page(item: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": item}


def _bare_example_page(value: Any) -> Any:
    return [value]


def _own_status(error: RagauthError) -> int:
    return error.status


@dataclass(frozen=True, slots=True)
class Rendering:
    """The form of a face's answers: what wraps its JSON Schemas and examples.

    `error` returns the body of an error, `error_schema` the schema for several errors, and
    `error_components` the schemas it refers to, made from all errors of the face. `error_name`
    returns the word that a program decides by, if the face has one. `data` and `page` take the
    schema of one object, `example` and `example_page` an example of it. By default an object is not
    wrapped, and a page is an array.
    """

    error: Callable[[RagauthError], Any]
    error_schema: Callable[[Sequence[RagauthError]], JsonSchema]
    components: dict[str, JsonSchema]
    error_components: Callable[[Sequence[RagauthError]], dict[str, JsonSchema]] = _no_components
    error_name: Callable[[RagauthError], str | None] = _nameless
    error_status: Callable[[RagauthError], int] = _own_status
    data: Callable[[JsonSchema], JsonSchema] = _bare
    page: Callable[[JsonSchema], JsonSchema] = _bare_page
    example: Callable[[Any], Any] = _bare
    example_page: Callable[[Any], Any] = _bare_example_page


HOUSE_RENDERING = Rendering(
    error=error_body,
    error_schema=_error_reference,
    error_components=error_components,
    error_name=_code_or_reason,
    components=_COMPONENTS,
    data=_in_envelope,
    page=_page_in_envelope,
    example=lambda data: {"data": data},
    example_page=_example_page,
)


@dataclass(frozen=True, slots=True)
class DocumentedFace:
    """A document's title and texts, and what it covers.

    `blueprints` are the names of those whose routes it has; None is all except the compat faces',
    which have documents of their own. `security_schemes` are by the names that guards demand.
    """

    name: str
    title: str
    version: str
    description: str
    security_schemes: dict[str, dict[str, Any]]
    blueprints: frozenset[str] | None = None
    rendering: Rendering = HOUSE_RENDERING
