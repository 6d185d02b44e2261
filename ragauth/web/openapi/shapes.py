"""marshmallow's schemas as components of a document, each with an example."""

import inspect
import json
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from ragauth.schemas.about import IN_EXAMPLE
from ragauth.schemas.base import RequestSchema
from ragauth.web.openapi.keywords import Keywords, declared_keywords, field_keywords, keywords_of
from ragauth.web.openapi.rendering import HOUSE_RENDERING, Rendering

# What brings an optional field into the example of a request.
_IN_EXAMPLE = {"examples", IN_EXAMPLE}


class Shapes:
    """The schemas of one document: each is a component with the name of its class."""

    def __init__(self, title: str, version: str, rendering: Rendering = HOUSE_RENDERING) -> None:
        plugin = MarshmallowPlugin(schema_name_resolver=_component_name)
        self.spec = APISpec(title, version, "3.1.0", plugins=[plugin])
        converter: Any = plugin.converter
        converter.add_attribute_function(field_keywords)
        self._converter = converter
        self._rendering = rendering

    def reference(self, schema: Schema) -> Keywords:
        """A reference to a schema, or to one of several."""
        members = member_schemas(schema)
        if members:
            return {"oneOf": [self.reference(member) for member in members]}
        reference: Keywords = self._converter.resolve_nested_schema(schema)
        return reference

    def answer(self, data: Schema, *, is_page: bool) -> Keywords:
        """The content of a success; its envelope is a component of its own."""
        rendering = self._rendering
        reference, example = self.reference(data), self.example(data)
        name = _component_name(data)
        if is_page:
            schema, suffix = rendering.page(reference), "Page"
            shown = rendering.example_page(example)
        else:
            schema, suffix = rendering.data(reference), "Response"
            shown = rendering.example(example)
        if schema.get("type") == "object":
            schema = self._named(f"{name}{suffix}", schema)
        return {"schema": schema, "example": shown}

    def _named(self, name: str, schema: Keywords) -> Keywords:
        if name not in self.spec.components.schemas:
            self.spec.components.schema(name, schema)
        return {"$ref": f"#/components/schemas/{name}"}

    def complete(self) -> None:
        """Add to each component its class's description and rules."""
        for key, name in self._converter.refs.items():
            component = self.spec.components.schemas[name]
            schema_class = key[0]
            description = schema_class.__dict__.get("__doc__")
            if description:
                component["description"] = inspect.cleandoc(description)
            component.update(getattr(schema_class, "json_rules", {}))
            if issubclass(schema_class, RequestSchema):
                for keywords in component.get("properties", {}).values():
                    _tell_default(keywords)

    def property_of(self, field: fields.Field[Any]) -> Keywords:
        keywords: Keywords = self._converter.field2property(field)
        return keywords

    def example(self, schema: Schema) -> Any:
        """An example of a schema; in a request, only required fields and those with an example."""
        members = member_schemas(schema)
        if members:
            return self.example(members[0])
        is_request = isinstance(schema, RequestSchema)
        shown = {
            field.data_key or name: self._example_of_field(field)
            for name, field in schema.fields.items()
            if field.required or not is_request or field.metadata.keys() & _IN_EXAMPLE
        }
        return [shown] if schema.many else shown

    def _example_of_field(self, field: fields.Field[Any]) -> Any:
        keywords = {**keywords_of(field), **dict(declared_keywords(field))}
        if "examples" in keywords:
            return keywords["examples"][0]
        if isinstance(field, fields.Nested):
            return self.example(field.schema)
        if isinstance(field, fields.List):
            return [self._example_of_field(field.inner)]
        if isinstance(field, fields.Mapping):
            return {}
        if "enum" in keywords:
            return keywords["enum"][0]
        if field.allow_none:
            return None
        kind = self.property_of(field).get("type")
        return {"boolean": True, "integer": 1, "number": 1, "string": "string"}.get(str(kind))


def _tell_default(keywords: Keywords) -> None:
    """Say in words the value that an omitted field of a body has.

    With the keyword `default`, client generators make the field mandatory, and their users would
    have to send it.
    """
    if "default" in keywords:
        default = json.dumps(keywords.pop("default"))
        words = (keywords.get("description"), f"Left out, it is `{default}`.")
        keywords["description"] = " ".join(filter(None, words))


def member_schemas(schema: Any) -> list[Schema]:
    """The member schemas of a union; empty for any other schema."""
    members = getattr(schema, "members", ())
    return list(members.values() if isinstance(members, dict) else members)


def _component_name(schema: Any) -> str:
    schema_class = schema if isinstance(schema, type) else type(schema)
    name: str = schema_class.__name__
    return name.removesuffix("Schema")
