"""marshmallow's schemas as components of a document, with an example of each."""

import inspect
import json
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from ragauth.schemas.base import RequestSchema
from ragauth.web.openapi.keywords import Keywords, declared_keywords, field_keywords, keywords_of


class Shapes:
    """The schemas of one document: each is a component, named as its class."""

    def __init__(self, title: str, version: str) -> None:
        plugin = MarshmallowPlugin(schema_name_resolver=_component_name)
        self.spec = APISpec(title, version, "3.1.0", plugins=[plugin])
        converter: Any = plugin.converter
        converter.add_attribute_function(field_keywords)
        self._converter = converter
        self._responses: dict[str, Keywords] = {}

    def reference(self, schema: Schema) -> Keywords:
        """A schema, or one of several, by reference."""
        members = member_schemas(schema)
        if members:
            return {"oneOf": [self.reference(member) for member in members]}
        reference: Keywords = self._converter.resolve_nested_schema(schema)
        return reference

    def shared_response(self, status: str, response: Keywords) -> Keywords:
        """A response by reference to the one component that is equal to it."""
        key = status + json.dumps(response, sort_keys=True)
        if key not in self._responses:
            stem = HTTPStatus(int(status)).phrase.title().replace(" ", "")
            name, number = stem, 1
            while name in self.spec.components.responses:
                number += 1
                name = f"{stem}{number}"
            self.spec.components.response(name, response)
            self._responses[key] = {"$ref": f"#/components/responses/{name}"}
        return self._responses[key]

    def complete(self) -> None:
        """Add to each component what its class says in words and rules."""
        for key, name in self._converter.refs.items():
            component = self.spec.components.schemas[name]
            schema_class = key[0]
            description = schema_class.__dict__.get("__doc__")
            if description:
                component["description"] = inspect.cleandoc(description)
            component.update(getattr(schema_class, "json_rules", {}))

    def property_of(self, field: fields.Field[Any]) -> Keywords:
        keywords: Keywords = self._converter.field2property(field)
        return keywords

    def example(self, schema: Schema) -> Any:
        """An example; in a request, of what it needs and of what has an example of its own."""
        members = member_schemas(schema)
        if members:
            return self.example(members[0])
        is_request = isinstance(schema, RequestSchema)
        shown = {
            field.data_key or name: self._example_of_field(field)
            for name, field in schema.fields.items()
            if field.required or not is_request or "examples" in field.metadata
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


def member_schemas(schema: Any) -> list[Schema]:
    """The schemas of which a value fits one; none for a schema of its own."""
    members = getattr(schema, "members", ())
    return list(members.values() if isinstance(members, dict) else members)


def _component_name(schema: Any) -> str:
    schema_class = schema if isinstance(schema, type) else type(schema)
    name: str = schema_class.__name__
    return name.removesuffix("Schema")
