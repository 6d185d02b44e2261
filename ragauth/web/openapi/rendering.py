"""A face in a document: which routes it covers, and the form of their answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ragauth.errors import RagauthError
from ragauth.web.envelope import JSON_TYPE, error_body
from ragauth.web.openapi.error_shapes import error_components

JsonSchema = dict[str, Any]


class Rendering(ABC):
    """The form of a face's answers: what wraps its JSON Schemas and examples.

    An object is not wrapped, and a page is an array, unless a subclass says otherwise.
    """

    #: Schemas that the others refer to, by their names.
    components: ClassVar[Mapping[str, JsonSchema]] = {}

    @abstractmethod
    def error(self, error: RagauthError) -> Any:
        """The body of an error."""

    @abstractmethod
    def error_schema(self, errors: Sequence[RagauthError]) -> JsonSchema:
        """The schema of the bodies of several errors of one status."""

    def error_components(self, errors: Sequence[RagauthError]) -> dict[str, JsonSchema]:
        """The schemas that `error_schema` refers to, made from all errors of the face."""
        return {}

    def error_name(self, error: RagauthError) -> str | None:
        """The word that a program decides by, if the face has one."""
        return None

    def error_status(self, error: RagauthError) -> int:
        return error.status

    def error_media_type(self, status: int) -> str:
        return JSON_TYPE

    def data(self, schema: JsonSchema) -> JsonSchema:
        """The schema of an answer with one object of a schema."""
        return schema

    def page(self, schema: JsonSchema) -> JsonSchema:
        """The schema of an answer with a list of objects of a schema."""
        return {"type": "array", "items": schema}

    def example(self, value: Any) -> Any:
        """An answer with one object."""
        return value

    def example_page(self, value: Any) -> Any:
        """An answer with a list that has one object."""
        return [value]


class HouseRendering(Rendering):
    """The contract's own: `{"data": ...}`, and a union of errors by their code."""

    components: ClassVar[Mapping[str, JsonSchema]] = {
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

    def error(self, error: RagauthError) -> Any:
        return error_body(error)

    def error_schema(self, errors: Sequence[RagauthError]) -> JsonSchema:
        return {"$ref": "#/components/schemas/Error"}

    def error_components(self, errors: Sequence[RagauthError]) -> dict[str, JsonSchema]:
        return error_components(errors)

    def error_name(self, error: RagauthError) -> str | None:
        name: str = error.details.get("reason", error.code)
        return name

    def data(self, schema: JsonSchema) -> JsonSchema:
        return {
            "type": "object",
            "required": ["data"],
            "properties": {"data": schema},
            "additionalProperties": False,
        }

    def page(self, schema: JsonSchema) -> JsonSchema:
        return {
            "type": "object",
            "required": ["data", "meta"],
            "properties": {
                "data": {"type": "array", "items": schema},
                "meta": {"$ref": "#/components/schemas/PageMeta"},
            },
            "additionalProperties": False,
        }

    def example(self, value: Any) -> Any:
        return {"data": value}

    def example_page(self, value: Any) -> Any:
        return {"data": [value], "meta": {"next_cursor": None}}


HOUSE_RENDERING = HouseRendering()


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
