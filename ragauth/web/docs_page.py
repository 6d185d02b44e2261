"""The page of the interactive reference and its assets, each under a name that tells its content.

Swagger UI's come from the package that brings them, the page's own from `static/docs`; nothing
is loaded from elsewhere.
"""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from flask import Flask, Response, render_template, request, url_for

from ragauth.errors import NotFound

# Swagger UI sets styles by the DOM's own methods, which `style-src` does not forbid.
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
_TYPES = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}
_OWN = Path(__file__).parents[1] / "static" / "docs"
_PACKAGE = "flask_swagger_ui"
_FROM_PACKAGE = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_URLS = "ragauth_document_urls"


class _Assets(NamedTuple):
    version: str
    files: dict[str, Path]


def offer_document(app: Flask, title: str, url: str) -> None:
    """Let the reader choose a further document on the page."""
    app.extensions.setdefault(_URLS, {})[title] = url


def page(app: Flask, title: str, url: str) -> Response:
    """The page, with its own document first."""
    version = _assets().version
    body = render_template(
        "docs.html",
        asset=lambda name: url_for("reference.asset", version=version, name=name),
        documents=[(title, url), *app.extensions.get(_URLS, {}).items()],
    )
    response = Response(body, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    # It names the assets, so it must be asked for anew.
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


def asset(version: str, name: str) -> Response:
    """A file of the present version, which never changes; raises NotFound for any other."""
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
    # Found, not imported: of the package nothing but its files is needed.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(_PACKAGE)
    dist = Path(spec.origin).parent / "dist"
    files = {name: dist / name for name in _FROM_PACKAGE}
    files.update({path.name: path for path in sorted(_OWN.iterdir()) if path.suffix in _TYPES})
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(files[name].read_bytes())
    return _Assets(digest.hexdigest()[:16], files)
