"""Failures as RAG Chats words them: `{"error", "message", "details"}`."""

from typing import Any

from flask import Response

from ragauth.errors import InvalidLogin, InvalidRequest, RagauthError
from ragauth.web.faces import bare_failure


def failure(error: RagauthError) -> Response:
    return bare_failure(body_of(error), error, error.status)


def body_of(error: RagauthError) -> dict[str, Any]:
    """`details` is an object always, so that a client may look into it without asking."""
    return {"error": _word(error), "message": error.message, "details": _details(error)}


def _word(error: RagauthError) -> str:
    """`token_expired` for a 401, the reason of a 403, else the contract's code in small letters."""
    if isinstance(error, InvalidLogin):
        return "invalid_credentials"
    reason = error.details.get("reason")
    if reason is None:
        return error.code.lower()
    return f"token_{reason}" if error.status == 401 else str(reason)


def _details(error: RagauthError) -> dict[str, Any]:
    """Without the reason, which stands in `error`; faults by their field."""
    if not isinstance(error, InvalidRequest):
        return {name: value for name, value in error.details.items() if name != "reason"}
    details: dict[str, list[str]] = {}
    for issue in error.details["issues"]:
        field = ".".join(map(str, issue["path"])) or "body"
        details.setdefault(field, []).append(issue["message"])
    return details
