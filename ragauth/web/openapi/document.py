"""The OpenAPI 3.1 document of a face, made from the URL map, declarations and schemas alone."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from ragauth.errors import InsufficientScope
from ragauth.web import idempotency
from ragauth.web.endpoint import PATH_IDS, Declaration
from ragauth.web.guards import ACCESS_TOKEN, API_KEY, Demand, demand_of
from ragauth.web.openapi.failures import (
    IN_BRACES,
    SharedResponses,
    errors_by_status,
    header_references,
)
from ragauth.web.openapi.headers import HEADERS, LIMITS, ON_EVERY_ANSWER
from ragauth.web.openapi.messages import document_messages
from ragauth.web.openapi.rendering import DocumentedFace
from ragauth.web.openapi.shapes import Shapes
from ragauth.web.paths import ANY_METHOD, takes_idempotency_key

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_BY_FLASK = {"HEAD", "OPTIONS"}
_PLACEHOLDER = re.compile(r"<(?:(?P<converter>[^:<>]+):)?(?P<name>[^<>]+)>")
_COMPAT = "compat"
# The query's name for where a list goes on: its pages, and those of the feed of events.
_CURSORS = {"cursor", "after"}


class Route(NamedTuple):
    """One method of one path; `view` carries the declaration."""

    path: str
    method: str
    view: Callable[..., Any]
    declaration: Declaration
    operation_id: str


def build_document(app: Flask, face: DocumentedFace) -> dict[str, Any]:
    """The document as Python values; the scopes in it are those of the application's policy."""
    with app.app_context():
        return _build(app, face)


def _build(app: Flask, face: DocumentedFace) -> dict[str, Any]:
    shapes = Shapes(face.title, face.version, face.rendering)
    spec = shapes.spec
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, str] = {}
    refusals = SharedResponses(face.rendering)
    for route in routes_of(app, face):
        tag, description = _tag(route.view)
        tags.setdefault(tag, description)
        paths.setdefault(route.path, {})[route.method] = _operation(
            route, tag, face, shapes, refusals
        )
    for path, operations in paths.items():
        spec.path(path=path, operations=operations)
    for tag, description in tags.items():
        spec.tag({"name": tag, "description": description})
    for name, header in HEADERS.items():
        spec.components.header(name, header)
    for name, scheme in face.security_schemes.items():
        spec.components.security_scheme(name, scheme)
    for name, response in refusals.components().items():
        spec.components.response(name, response)
    components = {**face.rendering.components, **face.rendering.error_components(refusals.errors)}
    for name, schema in components.items():
        spec.components.schema(name, schema)
    shapes.complete()
    document: dict[str, Any] = spec.to_dict()
    document["info"]["description"] = face.description
    if face.blueprints is None:
        document["webhooks"] = document_messages("Webhooks")
    document["servers"] = [{"url": "/", "description": "This server."}]
    return document


def routes_of(app: Flask, face: DocumentedFace) -> Iterator[Route]:
    """The face's routes in the order of their registration.

    A rule that ends in any path (`authorize/…`) is left out, as another spelling of the rule
    without it. A view for any method appears once, as GET, because all methods are the same
    operation.
    """
    for rule in app.url_map.iter_rules():
        view: Any = app.view_functions[rule.endpoint]
        declaration: Declaration = view.declaration
        if not _covers(face, rule) or not declaration.is_documented or "<path:" in rule.rule:
            continue
        path = _PLACEHOLDER.sub(lambda match: f"{{{match['name']}}}", rule.rule)
        for method in _methods(rule):
            yield Route(path, method, view, declaration, _operation_id(view))


def _covers(face: DocumentedFace, rule: Rule) -> bool:
    blueprint = rule.endpoint.rpartition(".")[0]
    if face.blueprints is None:
        return not blueprint.startswith(_COMPAT)
    return blueprint in face.blueprints


def _methods(rule: Rule) -> list[str]:
    """The methods that the view was declared for, without HEAD and OPTIONS, which Flask adds."""
    methods = rule.methods or set()
    if methods.issuperset(ANY_METHOD):
        return ["get"]
    return [method for method in METHODS if method.upper() in methods - _BY_FLASK]


def _operation_id(view: Callable[..., Any]) -> str:
    """The view's name, as a client generator names its function: `sign_up` is `signUp`."""
    first, *further = view.__name__.split("_")
    return first + "".join(word.capitalize() for word in further)


def _tag(view: Callable[..., Any]) -> tuple[str, str]:
    """The tag of a view: its module's `TAG`, or the module's name."""
    module = sys.modules[view.__module__]
    default = module.__name__.rpartition(".")[2].replace("_", " ").capitalize()
    tag: str = getattr(module, "TAG", default)
    return tag, (inspect.getdoc(module) or "").partition("\n\n")[0]


def _operation(
    route: Route, tag: str, face: DocumentedFace, shapes: Shapes, refusals: SharedResponses
) -> dict[str, Any]:
    declaration = route.declaration
    summary, _, description = (inspect.getdoc(route.view) or "").partition("\n\n")
    demand = demand_of(declaration.guard)
    headers = [*ON_EVERY_ANSWER, *(LIMITS if demand.scheme == API_KEY else ())]
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": " ".join(summary.split()),
        "description": "\n\n".join(filter(None, (description, _credential_needed(demand)))),
        "tags": [tag],
        "security": [{demand.scheme: []}] if demand.scheme else [],
        "parameters": [
            *_path_parameters(route, shapes),
            *_query_parameters(declaration, shapes),
            *_header_parameters(route),
        ],
        "responses": {
            str(declaration.status): _success(declaration, shapes, headers),
            **refusals.references(
                errors_by_status(declaration, route.path, route.method, face.rendering), headers
            ),
        },
    }
    if declaration.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": shapes.reference(declaration.body),
                    "example": shapes.example(declaration.body),
                }
            },
        }
    return {name: value for name, value in operation.items() if value or name == "security"}


def _credential_needed(demand: Demand) -> str:
    """Which credential to send, in words."""
    scopes = [
        refusal.details["required_scope"]
        for refusal in demand.refusals
        if isinstance(refusal, InsufficientScope)
    ]
    if scopes:
        return f"Needs a service's own API key with the scope `{scopes[0]}`."
    return {ACCESS_TOKEN: "Needs an access token.", API_KEY: "Needs an API key."}.get(
        demand.scheme or "", ""
    )


def _path_parameters(route: Route, shapes: Shapes) -> Iterator[dict[str, Any]]:
    for name in IN_BRACES.findall(route.path):
        field = PATH_IDS.get(name)
        schema = {"type": "string"} if field is None else shapes.property_of(field)
        yield {"name": name, "in": "path", "required": True, **_described(schema)}


def _query_parameters(declaration: Declaration, shapes: Shapes) -> Iterator[dict[str, Any]]:
    for name, field in declaration.query.fields.items():
        schema = shapes.property_of(field)
        if "anyOf" in schema:
            schema |= schema.pop("anyOf")[0]
        elif isinstance(schema.get("type"), list):
            # A parameter may be left out, but there is no null in a query.
            schema["type"] = schema["type"][0]
        yield {
            "name": field.data_key or name,
            "in": "query",
            "required": field.required,
            **_described(schema),
        }


def _header_parameters(route: Route) -> Iterator[dict[str, Any]]:
    if takes_idempotency_key(route.path, route.method.upper()):
        yield {
            "name": idempotency.HEADER,
            "in": "header",
            "required": False,
            "description": _IDEMPOTENCY,
            "schema": {"type": "string", "pattern": f"^{idempotency.FORM}$"},
            "example": "3f6c0a52-1d0e-4f0b-9d0a-8f2b6c1e7a55",
        }


_IDEMPOTENCY = (
    "A name for this call, new for each: a UUID, say. A repetition within 24 hours, with the same"
    " key, path and body, makes nothing and has the answer of the first call, raw keys included. A"
    " call that failed may be sent again under its name, corrected."
)


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI puts a parameter's description beside its schema, not inside it."""
    description = schema.pop("description", None)
    return {"schema": schema} | ({"description": description} if description else {})


def _success(declaration: Declaration, shapes: Shapes, headers: list[str]) -> dict[str, Any]:
    described = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in declaration.headers.items()
    }
    response: dict[str, Any] = {
        "description": _SUCCESSES.get(declaration.status, "Done."),
        "headers": {**header_references(headers), **described},
    }
    if declaration.data is not None and declaration.is_bare_list:
        response["content"] = {
            "application/json": {
                "schema": {"type": "array", "items": shapes.reference(declaration.data)},
                "example": [shapes.example(declaration.data)],
            }
        }
    elif declaration.data is not None:
        is_page = declaration.is_list or _has_cursor(declaration)
        response["content"] = {"application/json": shapes.answer(declaration.data, is_page=is_page)}
        if declaration.is_csv_too:
            response["content"]["text/csv"] = {"schema": {"type": "string"}}
    elif declaration.media_type:
        schema = {"type": "object" if declaration.media_type == "application/json" else "string"}
        response["content"] = {declaration.media_type: {"schema": schema}}
    return response


def _has_cursor(declaration: Declaration) -> bool:
    """Whether a request says where a list goes on, in its query or its body."""
    body = getattr(declaration.body, "fields", {})
    return not _CURSORS.isdisjoint([*declaration.query.fields, *body])


_SUCCESSES = {
    200: "OK.",
    201: "Created.",
    202: "Accepted; the rest follows by mail.",
    204: "Done; there is no body.",
}
