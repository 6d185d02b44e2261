"""Other vendors' wire formats over the same services: a folder each, `RAGAUTH_COMPAT` mounts it.

A face is its routes, its schemas and its errors, and nothing else; see docs/adding-a-face.md.
"""

from collections.abc import Iterable
from importlib import import_module

from flask import Flask, Response

from ragauth.blueprints.reference import document_response
from ragauth.web.endpoint import declared
from ragauth.web.faces import Face, register_face
from ragauth.web.guards import public
from ragauth.web.openapi.page import offer_document
from ragauth.web.paths import COMPAT

# A vendor's list has no pages; this is more than any plan holds, and a bound all the same.
WHOLE_LIST = 10_000


def register_faces(app: Flask, vendors: Iterable[str]) -> None:
    """Mount `FACE` of each vendor's folder, and its OpenAPI document."""
    for vendor in dict.fromkeys(vendors):
        face: Face = import_module(f"{__name__}.{vendor}").FACE
        register_face(app, COMPAT + vendor, face)
        _publish_document(app, COMPAT + vendor, face)


def _publish_document(app: Flask, prefix: str, face: Face) -> None:
    @declared(guard=public, media_type="application/json", is_documented=False)
    def openapi() -> Response:
        return document_response(face.document)

    url = f"{prefix}/openapi.json"
    app.add_url_rule(url, f"{face.blueprint.name}.openapi", openapi)
    offer_document(app, face.document.title, url)
