"""The form of every answer: `{"data": ...}` or `{"error": {"code", "message", "details"?}}`."""

import json
from typing import Any, NamedTuple

from flask import Response

from ragauth.errors import RagauthError

JSON_TYPE = "application/json"

Headers = list[tuple[str, str]]

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Answer(NamedTuple):
    """An HTTP answer without a framework's objects.

    `account_id` is the account of the key that asked, for the log; None if there is none.
    """

    status: int
    headers: Headers
    body: bytes
    account_id: str | None = None


def encode_json(value: Any) -> bytes:
    return _encode(value).encode("ascii")


def success(data: Any, status: int, meta: dict[str, Any] | None = None) -> Response:
    body = {"data": data} if meta is None else {"data": data, "meta": meta}
    return Response(encode_json(body), status, content_type=JSON_TYPE)


def error_body(error: RagauthError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    return {"error": body}


def error_header(body: bytes) -> tuple[str, str]:
    """A refusal's body as a header: of a subrequest's answer nginx reads only the headers."""
    return "X-Ragauth-Error", body.decode("ascii")


def failure(error: RagauthError) -> Response:
    response = Response(encode_json(error_body(error)), error.status, content_type=JSON_TYPE)
    response.headers.update(error.headers)
    return response
