"""The page of the interactive reference, and its assets.

The URL of each asset contains a hash of all assets.

All of them are in `static/docs`; nothing is loaded from elsewhere.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flask import Response, render_template, request, url_for

from ragauth.errors import NotFound

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_FOREVER_SECONDS = 31_536_000
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_OWN = Path(__file__).parents[2] / "static" / "docs"


class _Assets(NamedTuple):
    version: str
    files: dict[str, Path]


def page(documents: Sequence[tuple[str, str]]) -> Response:
    """The page; the reader chooses one of the documents, which are titles and URLs."""
    version = _assets().version
    body = render_template(
        "docs.html",
        asset=lambda name: url_for("reference.asset", version=version, name=name),
        scripts=sorted(name for name in _assets().files if name.endswith(".js")),
        # The prefix under which a gateway serves this application.
        root=request.script_root,
        documents=documents,
    )
    response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    # A browser must not reuse an old page, because it names the versions of the assets.
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


def asset(version: str, name: str) -> Response:
    """An asset of the present version, which never changes; raises NotFound for any other."""
    assets = _assets()
    path = assets.files.get(name)
    if path is None or version != assets.version:
        raise NotFound("There is no such file")
    response = Response(path.read_bytes(), mimetype=_TYPES[path.suffix])
    response.cache_control.public = True
    response.cache_control.max_age = _FOREVER_SECONDS
    response.cache_control.immutable = True
    return response


@cache
def _assets() -> _Assets:
    files = {path.name: path for path in _OWN.iterdir() if path.suffix in _TYPES}
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(files[name].read_bytes())
    return _Assets(digest.hexdigest()[:16], files)
