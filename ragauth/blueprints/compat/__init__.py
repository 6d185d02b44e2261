"""Other vendors' wire formats over the same services: a folder each, `RAGAUTH_COMPAT` mounts it.

A face is its routes, its schemas and its errors, and nothing else; see docs/adding-a-face.md. A
folder is imported only where its face is mounted. The factory calls `load_faces`, and
`register_blueprints` mounts what came back. A face's modules know `face.py` of this package, and no
other face.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module

from flask import Flask, Response

from ragauth.blueprints.compat.face import DOCUMENT, Face
from ragauth.blueprints.reference import document_response
from ragauth.web.endpoint import declared
from ragauth.web.guards import public
from ragauth.web.paths import COMPAT


def load_faces(vendors: Iterable[str]) -> dict[str, Face]:
    """`FACE` of each vendor's folder, by the prefix that it is mounted at: `/compat/<vendor>`."""
    return {COMPAT + vendor: import_module(f"{__name__}.{vendor}").FACE for vendor in vendors}


def register_faces(app: Flask, faces: Mapping[str, Face]) -> None:
    """Mount each face, and its OpenAPI document."""
    for prefix, face in faces.items():
        app.register_blueprint(face.blueprint, url_prefix=prefix)
        _publish_document(app, prefix, face)


def _publish_document(app: Flask, prefix: str, face: Face) -> None:
    @declared(guard=public, media_type="application/json", is_documented=False)
    def openapi() -> Response:
        return document_response(face.document)

    app.add_url_rule(prefix + DOCUMENT, f"{face.blueprint.name}.openapi", openapi)
