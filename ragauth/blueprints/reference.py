"""What a developer reads: the OpenAPI document."""

from flask import Blueprint, Response, current_app, request

from ragauth.web.endpoint import declared
from ragauth.web.guards import ACCESS_TOKEN, API_KEY, public
from ragauth.web.openapi import Face, published_document

reference = Blueprint("reference", __name__)

HOUSE_FACE = Face(
    name="ragauth",
    title="ragauth",
    version="1",
    description="",
    security_schemes={
        ACCESS_TOKEN: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The `token` of a signup, a login or a refresh; it lives an hour.",
        },
        API_KEY: {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "An API key. `Authorization: Bearer <key>` does as well.",
        },
    },
)


@reference.get("/openapi.json")
@declared(guard=public, media_type="application/json")
def openapi() -> Response:
    """This document: OpenAPI 3.1."""
    return document_response(HOUSE_FACE)


def document_response(face: Face) -> Response:
    """A face's document, or 304 for a reader who has it already."""
    document = published_document(current_app, face)
    response = Response(document.body, content_type="application/json")
    response.set_etag(document.etag)
    response.cache_control.public = True
    response.cache_control.max_age = 300
    return response.make_conditional(request)  # type: ignore[return-value]
