"""Faces: in which wording an answer is, the contract's or another vendor's."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, request

from ragauth.errors import RagauthError
from ragauth.extensions import runtime_of
from ragauth.web import envelope


class Wording(NamedTuple):
    """How dumped data (with a status, and a list's `meta`) and a failure become answers."""

    success: Callable[[Any, int, dict[str, Any] | None], Response]
    failure: Callable[[RagauthError], Response]


CONTRACT = Wording(envelope.success, envelope.failure)


def current_wording() -> Wording:
    """The wording of the present request.

    By its path, not by its route: an unknown URL below a face, a wrong method and what is refused
    before any route are in that face's words too.
    """
    return wording_of(current_app, request.path)


def wording_of(app: Flask, path: str) -> Wording:
    wordings: Mapping[str, Wording] = runtime_of(app).wordings
    return wordings.get("/".join(path.split("/", 3)[:3]), CONTRACT)


def bare_success(data: Any, status: int, _meta: dict[str, Any] | None) -> Response:
    """Without an envelope: the thing itself, or the array."""
    return Response(envelope.encode_json(data), status, content_type=envelope.JSON_TYPE)


def bare_failure(body: dict[str, Any], error: RagauthError, status: int) -> Response:
    """A failure in a body, and with a status, of the face's own; the headers are the error's."""
    response = Response(envelope.encode_json(body), status, content_type=envelope.JSON_TYPE)
    response.headers.update(error.headers)
    return response
