"""The OpenAPI documents: made when first asked for, kept as bytes in each process."""

import hashlib
import threading
from typing import NamedTuple

from flask import Flask

from ragauth.web.envelope import encode_json
from ragauth.web.openapi.faces import HOUSE_RENDERING, Face, Rendering

__all__ = ["HOUSE_RENDERING", "Face", "PublishedDocument", "Rendering", "published_document"]

_lock = threading.Lock()


class PublishedDocument(NamedTuple):
    """A document as it is sent; `etag` changes with its bytes."""

    body: bytes
    etag: str


def published_document(app: Flask, face: Face) -> PublishedDocument:
    """The document of a face; the first one of a process takes a moment."""
    documents: dict[str, PublishedDocument] = app.extensions.setdefault("ragauth_documents", {})
    with _lock:
        if face.name not in documents:
            # apispec is loaded by the first reader, not by every start.
            from ragauth.web.openapi.document import build_document  # noqa: PLC0415

            body = encode_json(build_document(app, face))
            documents[face.name] = PublishedDocument(body, hashlib.sha256(body).hexdigest()[:32])
        return documents[face.name]
