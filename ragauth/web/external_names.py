"""An external id in a path: one segment, whatever characters it has.

A server decodes a path's percent-escapes before the application sees it, so a slash within an
external id looks like one that ends it. The request target decides, where the server passes it on:
the id ends at the first slash that is not escaped (RFC 3986 section 2.2).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from ragauth.web.paths import find_raw_path

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ACCOUNTS = "/api/v1/internal/accounts/"
_NAMED = f"{_ACCOUNTS}ext:"
# Where an account's name stands among the segments of a path.
_PLACE = _ACCOUNTS.count("/")


class ExternalNames:
    """A WSGI wrapper that leaves the external id of a path percent-escaped, as one segment.

    `ragauth.schemas.account_fields.AccountInPath` reads it.
    """

    def __init__(self, application: "WSGIApplication") -> None:
        self.application = application

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith(_NAMED):
            named = _find_name(environ) or path[len(_ACCOUNTS) :].partition("/")[0]
            end = len(_ACCOUNTS) + len(named)
            name = quote(path[len(_NAMED) : end].encode("latin-1"), safe="")
            environ["PATH_INFO"] = f"{_NAMED}{name}{path[end:]}"
        return self.application(environ, start_response)


def _find_name(environ: "WSGIEnvironment") -> str | None:
    """The decoded segment with the name, if the target has it at its place."""
    segments = (find_raw_path(environ) or "").split("/")
    before = unquote("/".join(segments[:_PLACE]), "latin-1")
    if before + "/" != _ACCOUNTS or len(segments) <= _PLACE:
        return None
    return unquote(segments[_PLACE], "latin-1")
