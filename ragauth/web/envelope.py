"""The one form of every answer: `{"data": ...}` or `{"error": {"code", "message", "details"?}}`."""

from typing import Any

from flask import Response, jsonify

from ragauth.errors import RagauthError


def success(data: Any, status: int, meta: dict[str, Any] | None = None) -> Response:
    body = {"data": data} if meta is None else {"data": data, "meta": meta}
    response = jsonify(body)
    response.status_code = status
    return response


def error_body(error: RagauthError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    return {"error": body}


def failure(error: RagauthError) -> Response:
    response = jsonify(error_body(error))
    response.status_code = error.status
    response.headers.update(error.headers)
    return response
