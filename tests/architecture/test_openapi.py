"""The OpenAPI document says what the application does: no route more, none less."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from flask import Blueprint, Flask
from marshmallow import Schema, fields

from ragauth.blueprints.reference import HOUSE_FACE
from ragauth.errors import RagauthError
from ragauth.schemas.base import EitherSchema, RequestSchema
from ragauth.schemas.fields import Text
from ragauth.web.endpoint import Declaration, declared
from ragauth.web.guards import ACCESS_TOKEN, API_KEY, demand_of, public
from ragauth.web.openapi.document import METHODS, build_document, routes_of
from ragauth.web.openapi.failures import errors_of
from ragauth.web.openapi.shapes import Shapes
from tests.openapi import assert_valid

# Files of the page, which no program calls; and any path below `authorize`, which is its own.
_LEFT_OUT = {"/docs/{version}/{name}", "/api/v1/authorize/{path}"}
_ALL_METHODS = {method.upper() for method in METHODS}


@pytest.fixture(scope="module")
def document(sqlite_app: Flask) -> dict[str, Any]:
    return build_document(sqlite_app, HOUSE_FACE)


def _routes(app: Flask) -> set[tuple[str, str]]:
    """Path and method of each rule; a view of any method is one operation, written as GET."""
    return {
        (path, method)
        for rule in app.url_map.iter_rules()
        for path in [re.sub(r"<(?:[^:>]*:)?([^>]*)>", r"{\1}", rule.rule)]
        for methods in [rule.methods or set()]
        for method in ({"GET"} if "TRACE" in methods else methods & _ALL_METHODS)
        if path not in _LEFT_OUT and method not in {"HEAD", "OPTIONS"}
    }


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    resolved: dict[str, Any] = found
    return resolved


def _responses(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Place, status and content of every response."""
    for path, method, operation in _operations(document):
        for status, response in operation["responses"].items():
            yield f"{method} {path} {status}", status, _resolved(document, response)


def _does_not_fit(document: dict[str, Any], content: dict[str, Any]) -> list[str]:
    """Which examples of a body its own schema refuses."""
    schema = {**content["schema"], "components": document["components"]}
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    examples = [one["value"] for one in content.get("examples", {}).values()]
    if "example" in content:
        examples.append(content["example"])
    return [error.message for example in examples for error in validator.iter_errors(example)]


class TestTheDocument:
    def test_it_is_valid(self, document: dict[str, Any]) -> None:
        assert document["openapi"] == "3.1.0"
        assert_valid(document)

    def test_it_has_every_route_and_no_other(
        self, sqlite_app: Flask, document: dict[str, Any]
    ) -> None:
        found = {(path, method.upper()) for path, method, _ in _operations(document)}
        assert len(found) > 50
        assert found == _routes(sqlite_app)

    def test_it_has_both_credentials(self, document: dict[str, Any]) -> None:
        schemes = document["components"]["securitySchemes"]
        assert (schemes[ACCESS_TOKEN]["type"], schemes[ACCESS_TOKEN]["scheme"]) == (
            "http",
            "bearer",
        )
        assert (schemes[API_KEY]["in"], schemes[API_KEY]["name"]) == ("header", "X-API-Key")

    def test_a_route_wants_what_its_guard_wants(
        self, sqlite_app: Flask, document: dict[str, Any]
    ) -> None:
        for route in routes_of(sqlite_app, HOUSE_FACE):
            scheme = demand_of(route.declaration.guard).scheme
            operation = document["paths"][route.path][route.method]
            assert operation["security"] == ([{scheme: []}] if scheme else []), route.path

    def test_an_operation_has_the_name_of_what_it_does(self, document: dict[str, Any]) -> None:
        names = [operation["operationId"] for _, _, operation in _operations(document)]
        assert len(set(names)) == len(names)
        assert [name for name in names if not re.fullmatch("[a-z]+([A-Z][a-z]+)*", name)] == []
        assert {"signUp", "createKey", "verifyKey", "authorize"} <= set(names)

    def test_no_field_of_a_body_has_a_default_but_in_words(self, document: dict[str, Any]) -> None:
        """A generator takes a field with a default for one that is always there."""
        schemas = document["components"]["schemas"]
        fields = [
            keywords for one in schemas.values() for keywords in one.get("properties", {}).values()
        ]
        assert [keywords for keywords in fields if "default" in keywords] == []
        kind = schemas["NewKey"]["properties"]["kind"]
        assert kind["description"].endswith('Left out, it is `"secret"`.')


class TestWords:
    def test_every_route_says_in_a_sentence_what_it_does(self, document: dict[str, Any]) -> None:
        summaries = {
            f"{method} {path}": operation.get("summary", "")
            for path, method, operation in _operations(document)
        }
        assert [place for place, text in summaries.items() if not text.endswith(".")] == []

    def test_every_field_and_parameter_is_described(self, document: dict[str, Any]) -> None:
        schemas = document["components"]["schemas"]
        mute = {
            f"{name}.{field}"
            for name, schema in schemas.items()
            for field, keywords in schema.get("properties", {}).items()
            # An envelope's, and what is described where it is defined.
            if not (field in ("data", "meta") or "$ref" in keywords or keywords.get("description"))
        }
        mute |= {
            f"{path} {parameter['name']}"
            for path, _, operation in _operations(document)
            for parameter in operation.get("parameters", ())
            if not parameter.get("description")
        }
        assert mute == set()


class TestExamples:
    def test_every_body_has_one_that_fits(self, document: dict[str, Any]) -> None:
        for path, method, operation in _operations(document):
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                assert _does_not_fit(document, content) == [], f"{method} {path}"

    def test_the_service_takes_the_body_that_the_document_shows(self, sqlite_app: Flask) -> None:
        shapes = Shapes("", "")
        bodies = [
            view.declaration.body  # type: ignore[attr-defined]
            for view in sqlite_app.view_functions.values()
        ]
        with sqlite_app.app_context():
            for schema in filter(None, bodies):
                assert schema.validate(shapes.example(schema)) == {}, type(schema).__name__

    def test_every_answer_has_one_that_fits(self, document: dict[str, Any]) -> None:
        without, asked = [], set()
        for place, _, response in _responses(document):
            content = response.get("content", {}).get("application/json")
            if content is None:
                continue
            if "example" not in content and "examples" not in content:
                without.append(place)
            # Many routes name one and the same refusal.
            if id(content) not in asked:
                asked.add(id(content))
                assert _does_not_fit(document, content) == [], place
        # The bare documents: themselves, and a key set.
        assert without == ["get /.well-known/jwks.json 200", "get /openapi.json 200"]

    def test_every_declared_error_shows_itself(self, sqlite_app: Flask) -> None:
        for name, view in sqlite_app.view_functions.items():
            declaration: Declaration = view.declaration  # type: ignore[attr-defined]
            shown = errors_of(declaration, "/{id}", "post")
            for failure in declaration.errors:
                kind = failure if isinstance(failure, type) else type(failure)
                assert any(type(error) is kind for error in shown), name


class TestErrors:
    def test_every_code_is_one_of_the_contract(self, document: dict[str, Any]) -> None:
        codes = set(document["components"]["schemas"]["ErrorCode"]["enum"])
        shown = {
            example["value"]["error"]["code"]
            for _, status, response in _responses(document)
            if status >= "400"
            for example in response["content"]["application/json"]["examples"].values()
        }
        assert shown == codes
        assert {kind.code for kind in _descendants(RagauthError)} <= codes

    def test_a_program_can_tell_all_errors_apart(self, document: dict[str, Any]) -> None:
        schemas = document["components"]["schemas"]
        members = [
            _resolved(document, member)
            for member in schemas["Error"]["properties"]["error"]["oneOf"]
        ]
        codes = [member["properties"]["code"]["const"] for member in members]
        assert codes == schemas["ErrorCode"]["enum"]
        assert schemas["AuthenticationReason"]["enum"] == [
            "expired",
            "invalid",
            "malformed",
            "missing",
            "reused",
            "revoked",
            "wrong_credential_type",
        ]
        assert schemas["AuthorizationReason"]["enum"] == [
            "account_suspended",
            "https_required",
            "insufficient_scope",
            "ip_not_allowed",
            "origin_not_allowed",
            "wrong_agent",
        ]

    def test_a_refusal_is_described_once_and_named_at_each_route(
        self, document: dict[str, Any]
    ) -> None:
        assert len(document["components"]["responses"]) == 11
        for path, method, operation in _operations(document):
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert set(response) == {"$ref", "description"}, f"{method} {path} {status}"
        signing_up = document["paths"]["/api/auth/signup"]["post"]["responses"]
        assert "An account with this email already exists." in signing_up["409"]["description"]
        making_agents = document["paths"]["/api/agents"]["post"]["responses"]
        assert "this email" not in making_agents["409"]["description"]

    def test_a_route_with_a_credential_can_refuse_it(self, document: dict[str, Any]) -> None:
        for path, method, operation in _operations(document):
            expected = {"400", "401", "403", "500", "503"} if operation["security"] else {"500"}
            assert expected <= set(operation["responses"]), f"{method} {path}"

    def test_a_refusal_carries_its_header(self, document: dict[str, Any]) -> None:
        for place, status, response in _responses(document):
            wanted = {"401": "WWW-Authenticate", "405": "Allow", "503": "Retry-After"}
            if status in wanted:
                assert wanted[status] in response["headers"], place


def _descendants(kind: type[RagauthError]) -> Iterator[type[RagauthError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("ragauth"):
            yield child
            yield from _descendants(child)


class TestTheRulesThemselves:
    """A planted route, schema or example is found."""

    def test_a_route_of_another_shape_is_in_the_document(self) -> None:
        class Cat(Schema):
            name = fields.String(required=True)

        class Dog(Schema):
            barks = fields.Boolean(required=True)

        class Pet(EitherSchema):
            forms = {str: Cat, bool: Dog}

        class Asked(RequestSchema):
            kind = Text(maximum=3, required=True)

        app = Flask("planted", static_folder=None)
        pets = Blueprint("pets", __name__)

        @pets.get("/pets/<kind>")
        @declared(guard=public)
        def show() -> str:
            """A pet."""
            return ""

        show.declaration = Declaration(  # type: ignore[attr-defined]
            public, body=Asked(), data=Pet()
        )
        app.register_blueprint(pets)
        document = build_document(app, HOUSE_FACE)
        assert_valid(document)
        operation = document["paths"]["/pets/{kind}"]["get"]
        content = operation["responses"]["200"]["content"]["application/json"]
        answer = _resolved(document, content["schema"])
        assert answer["properties"]["data"]["oneOf"] == [
            {"$ref": "#/components/schemas/Cat"},
            {"$ref": "#/components/schemas/Dog"},
        ]
        assert document["components"]["schemas"]["Asked"]["additionalProperties"] is False

    def test_an_example_that_does_not_fit_is_found(self) -> None:
        content = {"schema": {"type": "integer"}, "example": "three"}
        assert _does_not_fit({"components": {}}, content) == ["'three' is not of type 'integer'"]
