"""The error schema of the contract's document: a union, discriminated by `code`."""

from collections.abc import Sequence
from typing import Any

from ragauth.errors import AuthenticationFailed, AuthorizationFailed, RagauthError

JsonSchema = dict[str, Any]

_TIME = {"type": "string", "format": "date-time"}


def _object(required: Sequence[str] = (), **properties: JsonSchema) -> JsonSchema:
    return {
        "type": "object",
        **({"required": [*required]} if required else {}),
        "properties": properties,
        "additionalProperties": False,
    }


def _reference(name: str) -> JsonSchema:
    return {"$ref": f"#/components/schemas/{name}"}


_DETAILS: dict[str, JsonSchema] = {
    "Issue": {
        "description": "One fault of a request.",
        **_object(
            ("path", "message"),
            path={
                "type": "array",
                "items": {"type": ["string", "integer"]},
                "description": "Where it is: names, and positions in lists. Empty for the whole.",
            },
            message={"type": "string", "description": "What is wrong there, for people."},
        ),
    },
    "ValidationDetails": _object(
        ("issues",),
        issues={
            "type": "array",
            "items": _reference("Issue"),
            "description": "Every fault of the request, up to a hundred.",
        },
    ),
    "AuthenticationDetails": _object(
        ("reason",),
        reason=_reference("AuthenticationReason"),
        expired_at=_TIME
        | {"description": "With `expired`: when the credential ended, RFC 3339 in UTC."},
    ),
    "AuthorizationDetails": _object(
        ("reason",),
        reason=_reference("AuthorizationReason"),
        required_scope={
            "type": "string",
            "description": "With `insufficient_scope`: the scope that the key lacks.",
        },
    ),
    "LimitDetails": _object(
        ("limit", "size"),
        limit={
            "type": "string",
            "description": "Which limit was met: `requests_per_minute`, `tokens_total`, …",
        },
        meter={"type": "string", "description": "Of a limit of checks: what is counted."},
        window={
            "type": "string",
            "description": "Of a limit of checks: `minute`, `10s`, `day`, `total`, …",
        },
        of={
            "type": "string",
            "enum": ["account", "key"],
            "description": "Of a limit of checks: whose it is.",
        },
        size={"type": "integer", "description": "How much it allows."},
        window_seconds={"type": "integer", "description": "How long its window is, if it has one."},
        resets_at=_TIME
        | {"description": "When there is room again, if waiting helps; RFC 3339 in UTC."},
    ),
    "ExternalServiceDetails": _object(
        ("checks",),
        checks={
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "At `/readyz`: each thing that is needed, by name, with its state.",
        },
    ),
    "InternalErrorDetails": _object(
        ("request_id",),
        request_id={"type": "string", "description": "What to report: the log has it too."},
    ),
}


# By code: component, meaning, component of the details, whether details are always present.
_FORMS: dict[str, tuple[str, str, str | None, bool]] = {
    "VALIDATION_ERROR": (
        "ValidationError",
        "Something in the request does not fit. 405, 413 and 415 have no details.",
        "ValidationDetails",
        False,
    ),
    "AUTHENTICATION_ERROR": (
        "AuthenticationError",
        "No credential, or one that does not hold.",
        "AuthenticationDetails",
        True,
    ),
    "AUTHORIZATION_ERROR": (
        "AuthorizationError",
        "A credential that holds, but may not do this.",
        "AuthorizationDetails",
        True,
    ),
    "NOT_FOUND": ("NotFoundError", "No such thing, or it is another account's.", None, False),
    "CONFLICT": ("ConflictError", "Taken already, or two changes met.", None, False),
    "RATE_LIMIT_EXCEEDED": (
        "RateLimitError",
        "Too many in a short window; `Retry-After` says when to come back.",
        "LimitDetails",
        False,
    ),
    "USAGE_LIMIT_EXCEEDED": (
        "UsageLimitError",
        "The plan's quota, or its number of keys or agents, is used up.",
        "LimitDetails",
        False,
    ),
    "EXTERNAL_SERVICE_ERROR": (
        "ExternalServiceError",
        "A database, Redis or mail server is out of reach; try again.",
        "ExternalServiceDetails",
        False,
    ),
    "INTERNAL_ERROR": ("InternalError", "A bug in the service.", "InternalErrorDetails", True),
}


def error_components(errors: Sequence[RagauthError]) -> dict[str, JsonSchema]:
    """`Error` and all schemas that it refers to; codes and reasons are those of the errors."""
    codes = [code for code in _FORMS if any(error.code == code for error in errors)]
    members = {_FORMS[code][0]: _member(code) for code in codes}
    return {
        "Error": {
            "description": "The form of every failure.",
            **_object(
                ("error",),
                error={
                    "oneOf": [_reference(name) for name in members],
                    "description": "What went wrong; decide by its `code`.",
                },
            ),
        },
        "ErrorCode": {
            "type": "string",
            "enum": codes,
            "description": "What a program decides by; each has a form of its own in `Error`.",
        },
        "AuthenticationReason": _reasons(errors, AuthenticationFailed),
        "AuthorizationReason": _reasons(errors, AuthorizationFailed),
        **members,
        **_DETAILS,
    }


def _member(code: str) -> JsonSchema:
    _, description, details, is_always_there = _FORMS[code]
    required = ("code", "message", "details") if is_always_there else ("code", "message")
    properties: dict[str, JsonSchema] = {
        "code": {"type": "string", "const": code, "description": "What a program decides by."},
        "message": {"type": "string", "description": "What a person reads."},
    }
    if details is not None:
        properties["details"] = _reference(details)
    return {"description": description, **_object(required, **properties)}


def _reasons(errors: Sequence[RagauthError], kind: type[RagauthError]) -> JsonSchema:
    reasons = {error.details["reason"] for error in errors if isinstance(error, kind)}
    return {
        "type": "string",
        "enum": sorted(reasons),
        "description": f"Why the answer is {kind.status}.",
    }
