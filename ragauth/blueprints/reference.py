"""What a developer reads: the OpenAPI document, and a page to try it on."""

from pathlib import Path

from flask import Blueprint, Response, after_this_request, current_app, request, url_for

from ragauth.errors import NotFound
from ragauth.schemas.ops import ServiceSchema
from ragauth.version import VERSION
from ragauth.web.endpoint import declared, endpoint
from ragauth.web.envelope import JSON_TYPE
from ragauth.web.guards import ACCESS_TOKEN, API_KEY, public
from ragauth.web.openapi import DocumentedFace, current_documents, page

_DESCRIPTION = Path(__file__).parents[1] / "templates" / "openapi.md"
_PAGE = "text/html"

reference = Blueprint("reference", __name__)

HOUSE_FACE = DocumentedFace(
    name="ragauth",
    title="ragauth",
    version="1",
    description=_DESCRIPTION.read_text("utf-8"),
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


@reference.get("/")
@endpoint(guard=public, data=ServiceSchema)
def index() -> dict[str, str] | Response:
    """Where things are; a browser is led to /docs."""
    after_this_request(_vary_by_accept)
    # The first of the two for who takes either.
    if request.accept_mimetypes.best_match((JSON_TYPE, _PAGE)) == _PAGE:
        return Response(status=302, headers={"Location": url_for("reference.docs")})
    return {
        "name": HOUSE_FACE.name,
        "version": VERSION,
        "docs": url_for("reference.docs"),
        "openapi": url_for("reference.openapi"),
        "health": url_for("ops.healthz"),
    }


@reference.get("/openapi.json")
@declared(guard=public, media_type="application/json")
def openapi() -> Response:
    """This document: OpenAPI 3.1."""
    return document_response(HOUSE_FACE)


@reference.get("/docs")
@declared(guard=public, media_type=_PAGE)
def docs() -> Response:
    """The interactive reference, for a browser."""
    own = (HOUSE_FACE.title, url_for("reference.openapi"))
    further = current_documents().further.items()
    return page.page([own, *((title, request.script_root + url) for title, url in further)])


@reference.get("/docs/<version>/<name>")
@declared(guard=public, media_type="*/*", errors=(NotFound,), is_documented=False)
def asset(version: str, name: str) -> Response:
    """A script, a style or an image of the page."""
    return page.asset(version, name)


def _vary_by_accept(response: Response) -> Response:
    response.vary.add("Accept")
    return response


def document_response(face: DocumentedFace) -> Response:
    """A face's document, or 304 for a reader who has it already."""
    document = current_documents().publish(current_app, face, request.script_root)
    response = Response(document.body, content_type="application/json")
    response.set_etag(document.etag)
    response.cache_control.public = True
    response.cache_control.max_age = 300
    return response.make_conditional(request)  # type: ignore[return-value]
