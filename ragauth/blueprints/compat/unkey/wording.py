"""Answers as Unkey words them: `meta.requestId` always, problems in the manner of RFC 9457."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from flask import Response, g, request
from werkzeug.http import HTTP_STATUS_CODES

from ragauth.errors import (
    AuthenticationFailed,
    AuthorizationFailed,
    BodyTooLarge,
    Conflict,
    CredentialMalformed,
    CredentialMissing,
    ExternalIdTaken,
    ExternalServiceUnavailable,
    InsufficientScope,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchAccount,
    NoSuchKey,
    NoSuchKeyspace,
    NoSuchScope,
    NotFound,
    RagauthError,
    RateLimitExceeded,
    ScopeTaken,
    UnsupportedMediaType,
    UsageLimitExceeded,
    WrongCredentialType,
)
from ragauth.web.envelope import JSON_TYPE, encode_json
from ragauth.web.faces import bare_failure

PROBLEM_TYPE = "application/problem+json"
_TYPES = "https://unkey.com/docs/errors/"
# The class of an error, or the nearest class above it, decides the last part of `type`.
_PROBLEMS: Mapping[type[RagauthError], str] = {
    RagauthError: "unkey/application/unexpected_error",
    ExternalServiceUnavailable: "unkey/application/service_unavailable",
    InvalidRequest: "unkey/application/invalid_input",
    UnsupportedMediaType: "user/bad_request/unsupported_media_type",
    BodyTooLarge: "user/bad_request/request_body_too_large",
    MethodNotAllowed: "user/bad_request/method_not_allowed",
    AuthenticationFailed: "unkey/authentication/key_not_found",
    CredentialMissing: "unkey/authentication/missing",
    CredentialMalformed: "unkey/authentication/malformed",
    WrongCredentialType: "unkey/authentication/malformed",
    AuthorizationFailed: "unkey/authorization/forbidden",
    InsufficientScope: "unkey/authorization/insufficient_permissions",
    NotFound: "unkey/data/not_found",
    NoSuchKey: "unkey/data/key_not_found",
    NoSuchAccount: "unkey/data/identity_not_found",
    NoSuchKeyspace: "unkey/data/api_not_found",
    NoSuchScope: "unkey/data/permission_not_found",
    Conflict: "unkey/data/conflict",
    ExternalIdTaken: "unkey/data/identity_already_exists",
    ScopeTaken: "unkey/data/permission_already_exists",
    RateLimitExceeded: "user/too_many_requests/rate_limited",
    UsageLimitExceeded: "user/too_many_requests/usage_exceeded",
}
# Where a service finds a fault, it names the field as the contract does.
_FIELDS = {
    "scopes": "permissions",
    "expires_at": "expires",
    "metadata": "meta",
    "is_active": "enabled",
    "external_id": "externalId",
    "grace_seconds": "expiration",
    "limits": "ratelimits",
}
_BAD_REQUEST = 400
_TOO_MANY = 429


def success(data: Any, status: int, meta: dict[str, Any] | None) -> Response:
    """`{"meta", "data"}`, of a page with `pagination` too."""
    body = {"meta": {"requestId": g.request_id}, "data": data}
    if meta is not None:
        body["pagination"] = pagination_of(meta["next_cursor"])
    return Response(encode_json(body), status, content_type=JSON_TYPE)


def pagination_of(next_cursor: str | None) -> dict[str, Any]:
    """No name is null in Unkey's answers: the last page has no cursor."""
    return {"hasMore": False} if next_cursor is None else {"hasMore": True, "cursor": next_cursor}


def failure(error: RagauthError) -> Response:
    response = bare_failure(body_of(error, g.request_id, request.args), error, error.status)
    # The clients recognize a refusal by its media type, too.
    response.content_type = media_type_of(error.status)
    return response


def media_type_of(status: int) -> str:
    """The media type of a failure with this status."""
    return PROBLEM_TYPE if status == _TOO_MANY else JSON_TYPE


def body_of(
    error: RagauthError, request_id: str, query: Container[str | int] = ()
) -> dict[str, Any]:
    """`query` has the names of the query's parameters: no other fault is one of the query."""
    issues = [{**issue, "path": _named(issue["path"])} for issue in error.details.get("issues", ())]
    problem: dict[str, Any] = {
        "detail": InvalidRequest(issues).message if issues else error.message,
        "status": error.status,
        "title": HTTP_STATUS_CODES[error.status],
        "type": _TYPES + _problem(type(error)),
    }
    if error.status == _BAD_REQUEST:
        problem["errors"] = [
            {"location": _location(issue["path"], query), "message": issue["message"]}
            for issue in issues
        ]
    return {"meta": {"requestId": request_id}, "error": problem}


def _problem(kind: type[RagauthError]) -> str:
    return next(_PROBLEMS[each] for each in kind.__mro__ if each in _PROBLEMS)


def _named(path: Sequence[str | int]) -> list[str | int]:
    return [_FIELDS.get(name, name) if isinstance(name, str) else name for name in path]


def _location(path: Sequence[str | int], query: Container[str | int]) -> str:
    """`body.keys[3].name`."""
    place = "query" if path and path[0] in query else "body"
    return place + "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path)
