"""The OpenAPI documents: made when first asked for, kept as bytes in each process.

A document is made from the URL map, the declarations and the schemas alone, so it cannot differ
from what the routes do. `current_documents().publish` gives one, `page` is for reading it.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Flask

from ragauth.extensions import current
from ragauth.web.envelope import encode_json
from ragauth.web.openapi.rendering import HOUSE_RENDERING, DocumentedFace, Rendering

__all__ = ["HOUSE_RENDERING", "DocumentedFace", "Documents", "PublishedDocument", "Rendering"]


class PublishedDocument(NamedTuple):
    """A document as it is sent; `etag` changes with its bytes."""

    body: bytes
    etag: str
    mounted_at: str


class Documents:
    """The documents of one application; `further` has those of faces: titles and URLs.

    These URLs are without the prefix that the service is mounted at.
    """

    def __init__(self, further: Mapping[str, str]) -> None:
        self.further = further
        self._made: dict[str, PublishedDocument] = {}
        self._making = threading.Lock()

    def publish(self, app: Flask, face: DocumentedFace, mounted_at: str) -> PublishedDocument:
        """A face's document; its server URL is the path that the service is mounted at.

        The first call in a process takes a moment.
        """
        mounted = f"{face.name}, mounted"
        with self._making:
            if face.name not in self._made:
                # apispec is imported for the first reader, not at every start.
                from ragauth.web.openapi.document import build_document  # noqa: PLC0415

                self._made[face.name] = _publish(build_document(app, face), "")
            if not mounted_at:
                return self._made[face.name]
            # Only the document for the last prefix is kept: a proxy may pass on any prefix that
            # clients invent.
            if mounted not in self._made or self._made[mounted].mounted_at != mounted_at:
                document = json.loads(self._made[face.name].body)
                document["servers"][0]["url"] = mounted_at
                self._made[mounted] = _publish(document, mounted_at)
            return self._made[mounted]


def current_documents() -> Documents:
    """The documents of the running application."""
    documents: Documents = current().documents
    return documents


def _publish(document: dict[str, Any], mounted_at: str) -> PublishedDocument:
    body = encode_json(document)
    return PublishedDocument(body, hashlib.sha256(body).hexdigest()[:32], mounted_at)
