"""Faces: which wording an answer has, the contract's or another vendor's."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, request

from ragauth.errors import RagauthError
from ragauth.extensions import runtime_of
from ragauth.web import envelope


class Wording(NamedTuple):
    """How dumped data (with a status, and a list's `meta`) and an error become answers."""

    success: Callable[[Any, int, dict[str, Any] | None], Response]
    failure: Callable[[RagauthError], Response]


CONTRACT = Wording(envelope.success, envelope.failure)


def current_wording() -> Wording:
    """The wording of the present request.

    It depends on the path, not on the route: an unknown URL below a face, a wrong method, and a
    refusal before any route are in that face's wording too.
    """
    return wording_of(current_app, request.path)


def wording_of(app: Flask, path: str) -> Wording:
    wordings: Mapping[str, Wording] = runtime_of(app).wordings
    return wordings.get("/".join(path.split("/", 3)[:3]), CONTRACT)


def bare_success(data: Any, status: int, _meta: dict[str, Any] | None) -> Response:
    """A success without an envelope: the object itself, or the array."""
    return Response(envelope.encode_json(data), status, content_type=envelope.JSON_TYPE)


def bare_failure(body: dict[str, Any], error: RagauthError, status: int) -> Response:
    """An error with the face's own body and status; the headers are the error's."""
    response = Response(envelope.encode_json(body), status, content_type=envelope.JSON_TYPE)
    response.headers.update(error.headers)
    return response
