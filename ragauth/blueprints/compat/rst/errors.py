"""Failures as a service of RST's kind (FastAPI) words them: `{"detail": ...}`, 422 for faults."""

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from ragauth.errors import CredentialMissing, InvalidLogin, InvalidRequest, RagauthError
from ragauth.web.faces import bare_failure
from ragauth.web.json_body import MALFORMED_JSON

_UNPROCESSABLE = 422
_WORDS: dict[type[RagauthError], str] = {
    CredentialMissing: "Not authenticated",
    InvalidLogin: "Incorrect username or password",
}
_TYPES = {
    "Required": "missing",
    "Unknown field": "extra_forbidden",
    MALFORMED_JSON: "json_invalid",
}


def failure(error: RagauthError) -> Response:
    return bare_failure(body_of(error), error, status_of(error))


def status_of(error: RagauthError) -> int:
    return _UNPROCESSABLE if isinstance(error, InvalidRequest) else error.status


def body_of(error: RagauthError) -> dict[str, Any]:
    if isinstance(error, InvalidRequest):
        return {"detail": [_fault(issue) for issue in error.details["issues"]]}
    return {"detail": _WORDS.get(type(error), error.message)}


def _fault(issue: Mapping[str, Any]) -> dict[str, Any]:
    path, message = issue["path"], issue["message"]
    return {
        "type": _TYPES.get(message.partition(":")[0], "value_error"),
        "loc": [_place(path), *path],
        "msg": message,
    }


def _place(path: list[str | int]) -> str:
    """Where a fault stands. A route with an id in its path takes no body here."""
    if path and path[0] in (request.view_args or ()):
        return "path"
    return "query" if path and path[0] in request.args else "body"
