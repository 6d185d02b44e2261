"""The OpenAPI documents: made when first asked for, kept as bytes in each process."""

import hashlib
import json
import threading
from typing import Any, NamedTuple

from flask import Flask

from ragauth.web.envelope import encode_json
from ragauth.web.openapi.rendering import HOUSE_RENDERING, Face, Rendering

__all__ = ["HOUSE_RENDERING", "Face", "PublishedDocument", "Rendering", "published_document"]

_lock = threading.Lock()


class PublishedDocument(NamedTuple):
    """A document as it is sent; `etag` changes with its bytes."""

    body: bytes
    etag: str
    mounted_at: str


def published_document(app: Flask, face: Face, mounted_at: str) -> PublishedDocument:
    """The document of a face, which names as its server the path that the service is mounted at.

    The first one of a process takes a moment.
    """
    documents: dict[str, PublishedDocument] = app.extensions.setdefault("ragauth_documents", {})
    mounted = f"{face.name}, mounted"
    with _lock:
        if face.name not in documents:
            # apispec is loaded by the first reader, not by every start.
            from ragauth.web.openapi.document import build_document  # noqa: PLC0415

            documents[face.name] = _publish(build_document(app, face), "")
        if not mounted_at:
            return documents[face.name]
        # The last one alone is kept: a proxy may hand on whatever prefix its clients write.
        if mounted not in documents or documents[mounted].mounted_at != mounted_at:
            document = json.loads(documents[face.name].body)
            document["servers"][0]["url"] = mounted_at
            documents[mounted] = _publish(document, mounted_at)
        return documents[mounted]


def _publish(document: dict[str, Any], mounted_at: str) -> PublishedDocument:
    body = encode_json(document)
    return PublishedDocument(body, hashlib.sha256(body).hexdigest()[:32], mounted_at)
