"""Which errors a route can return, and each error as a response with an example."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marshmallow import Schema, ValidationError
from werkzeug.http import HTTP_STATUS_CODES

from ragauth.errors import (
    BodyTooLarge,
    CallUnderWay,
    Conflict,
    ExternalServiceUnavailable,
    HttpsRequired,
    IdempotencyKeyReused,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RagauthError,
    UnsupportedMediaType,
)
from ragauth.schemas.base import to_issues
from ragauth.web.endpoint import MISSING, Declaration
from ragauth.web.guards import Failure, demand_of, public
from ragauth.web.openapi.rendering import Rendering
from ragauth.web.openapi.shapes import member_schemas
from ragauth.web.paths import (
    PLAIN_HTTP_IS_FINE,
    SAFE_METHODS,
    is_authorize,
    max_body_bytes,
    takes_idempotency_key,
)

IN_BRACES = re.compile(r"{([^{}]+)}")
_REQUEST_ID = "0190163d8694739bb2ea9a2dc9f1f3d8"
_UNKNOWN = {"colour": "blue"}
_HEADERS_OF_STATUS = {401: ["WWW-Authenticate"], 405: ["Allow"], 503: ["Retry-After"]}


def errors_of(declaration: Declaration, path: str, method: str) -> list[RagauthError]:
    """Every error of a route, as examples: those that guard, body and path imply, and its own."""
    errors = [_as_example(failure) for failure in _failures(declaration, path, method)]
    distinct = {(type(error), error.message, str(error.details)): error for error in errors}
    return list(distinct.values())


def _failures(declaration: Declaration, path: str, method: str) -> Iterator[Failure]:
    answers_by_itself = declaration.media_type is not None
    if not answers_by_itself or declaration.query.fields:
        yield _invalid_request(declaration)
    demand, is_write = demand_of(declaration.guard), method.upper() not in SAFE_METHODS
    yield from demand.refusals
    if is_write:
        yield from demand.refusals_to_write
    if path not in PLAIN_HTTP_IS_FINE:
        yield HttpsRequired
    for name in IN_BRACES.findall(path):
        yield MISSING.get(name, NotFound)
    if not is_authorize(path):
        yield MethodNotAllowed
        yield BodyTooLarge.than(max_body_bytes(path))
    if declaration.body is not None:
        yield UnsupportedMediaType
    if declaration.guard is not public and is_write and not answers_by_itself:
        yield Conflict
    if takes_idempotency_key(path, method.upper()):
        yield IdempotencyKeyReused
        yield CallUnderWay
    yield from declaration.errors
    yield RagauthError(details={"request_id": _REQUEST_ID})
    yield ExternalServiceUnavailable


def _as_example(failure: Failure) -> RagauthError:
    return failure if isinstance(failure, RagauthError) else failure.example()


def _invalid_request(declaration: Declaration) -> InvalidRequest:
    """An example of an invalid request: what the schema says to an empty body or unknown field."""
    members = member_schemas(declaration.body)
    schema = members[0] if members else declaration.body or declaration.query
    issues = _issues(schema, [{}] if schema.many else {}) or _issues(schema, _UNKNOWN)
    if not issues:
        return InvalidRequest([{"path": ["cost"], "message": "Must be a whole number"}])
    return InvalidRequest(issues)


def _issues(schema: Schema, value: Any) -> list[dict[str, Any]]:
    try:
        schema.load(value)
    except ValidationError as error:
        return list(to_issues(error.messages))
    return []


def errors_by_status(
    declaration: Declaration, path: str, method: str, rendering: Rendering
) -> dict[int, list[RagauthError]]:
    """The errors of a route, by their status in the face's answers."""
    by_status: dict[int, list[RagauthError]] = defaultdict(list)
    for error in errors_of(declaration, path, method):
        by_status[rendering.error_status(error)].append(error)
    for status, failures in declaration.disguised.items():
        by_status[status].extend(map(_as_example, failures))
    return dict(sorted(by_status.items()))


class SharedResponses:
    """The refusals of one document: a component for each status, and references for each route."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._errors: dict[int, dict[tuple[type, str], RagauthError]] = defaultdict(dict)
        self._headers: dict[int, dict[str, None]] = defaultdict(dict)

    @property
    def errors(self) -> list[RagauthError]:
        """All errors of all routes, each kind once."""
        return [error for alike in self._errors.values() for error in alike.values()]

    def references(
        self, by_status: Mapping[int, Sequence[RagauthError]], headers: Sequence[str]
    ) -> dict[str, Any]:
        """References to a route's refusals; `headers` are those of every answer of the route."""
        for status, errors in by_status.items():
            self._headers[status].update(dict.fromkeys(headers))
            for error in errors:
                self._errors[status].setdefault((type(error), error.message), error)
        return {
            str(status): {
                "$ref": f"#/components/responses/{_name(status)}",
                # In OpenAPI 3.1 a reference may have a description of its own.
                "description": _describe(errors, self._rendering),
            }
            for status, errors in by_status.items()
        }

    def components(self) -> dict[str, Any]:
        """The responses by name; call it after all routes have asked for their references."""
        return {
            _name(status): _response(
                status, [*errors.values()], self._rendering, [*self._headers[status]]
            )
            for status, errors in sorted(self._errors.items())
        }


def _name(status: int) -> str:
    return HTTP_STATUS_CODES[status].title().replace(" ", "")


def _response(
    status: int, errors: Sequence[RagauthError], rendering: Rendering, headers: Sequence[str]
) -> dict[str, Any]:
    names = [*headers, *_HEADERS_OF_STATUS.get(status, ())]
    if any("Retry-After" in error.headers for error in errors) and "Retry-After" not in names:
        names.append("Retry-After")
    return {
        "description": f"{HTTP_STATUS_CODES[status]}.",
        "headers": header_references(names),
        "content": {
            rendering.error_media_type(status): {
                "schema": rendering.error_schema(errors),
                "examples": _examples(errors, rendering),
            }
        },
    }


def _examples(errors: Sequence[RagauthError], rendering: Rendering) -> dict[str, Any]:
    examples: dict[str, Any] = {}
    for error in errors:
        name = type(error).__name__
        while name in examples:
            name += "_"
        examples[name] = {"summary": error.message, "value": rendering.error(error)}
    return examples


def _describe(errors: Sequence[RagauthError], rendering: Rendering) -> str:
    """What a status means on one route: a line for each error, with what a program reads of it."""
    lines = set()
    for error in errors:
        name, message = rendering.error_name(error), _general_message(error)
        lines.add(f"- `{name}`: {message}." if name else f"- {message}.")
    return "\n".join(sorted(lines))


def _general_message(error: RagauthError) -> str:
    """Replace a validation error's message, which is about one body, by a general one."""
    return InvalidRequest.message if isinstance(error, InvalidRequest) else error.message


def header_references(names: Sequence[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
