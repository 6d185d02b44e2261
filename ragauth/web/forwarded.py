"""The client's address, scheme, host and prefix: from trusted proxies, or from the connection.

Each trusted proxy appends one entry to an `X-Forwarded-*` header, so of n proxies the n-th entry
from the right is what the outermost one saw. Entries to the left of it are the client's own claims.
Several header lines of one name are one header, joined by commas (RFC 9110, 5.2). Commas within
quotes separate entries too: a quote that the client opened must not swallow what the proxies wrote
after it.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ragauth.config import is_prefix
from ragauth.security.addresses import canonical_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_HOST = re.compile(r"(?:[0-9A-Za-z.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Forwarded:
    """A WSGI wrapper that tells the application who the client is.

    REMOTE_ADDR becomes the client's address in its canonical spelling. It is absent if there is no
    address (a Unix socket) or none that can be parsed. With trusted proxies only their headers
    count:

    - X-Forwarded-For is the client's address. Without it there is none: the peer is a proxy.
    - X-Forwarded-Proto is the scheme. Every value but `https` means plain HTTP.
    - X-Forwarded-Host is the Host. Without it the Host counts that the nearest proxy sent.
    - X-Forwarded-Prefix is SCRIPT_NAME: the path at which the service is mounted, and which the
      proxy removed. Without it the server's setting counts.

    `mounted_at` is the server's setting: a prefix that is removed from the paths that come in. A
    path without it is served too: that of a probe, or of a proxy that has removed the prefix.
    """

    def __init__(
        self, application: "WSGIApplication", *, trusted_proxies: int, mounted_at: str = ""
    ) -> None:
        self.application = application
        self._trusted_proxies = trusted_proxies
        self._mounted_at = mounted_at

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return self.application(self._told(environ), start_response)

    def answer_round(self, environs: "Sequence[WSGIEnvironment]") -> Any:
        """See `Gate.answer_round`."""
        return self.application.answer_round([self._told(environ) for environ in environs])  # type: ignore[attr-defined]

    def _told(self, environ: "WSGIEnvironment") -> "WSGIEnvironment":
        address = client_address(environ, trusted_proxies=self._trusted_proxies)
        # The server's dict is not changed: `flask run` reads its REMOTE_ADDR after the answer.
        environ = {**environ}
        environ.pop("REMOTE_ADDR", None)
        if self._mounted_at:
            self._take_off_prefix(environ)
        if self._trusted_proxies:
            scheme = self._read(environ, "HTTP_X_FORWARDED_PROTO")
            environ["wsgi.url_scheme"] = "https" if scheme.lower() == "https" else "http"
            host = self._read(environ, "HTTP_X_FORWARDED_HOST")
            if _HOST.fullmatch(host):
                environ["HTTP_HOST"] = host
            prefix = self._read(environ, "HTTP_X_FORWARDED_PREFIX")
            if is_prefix(prefix):
                environ["SCRIPT_NAME"] = prefix
        if address is not None:
            environ["REMOTE_ADDR"] = address
        return environ

    def _take_off_prefix(self, environ: "WSGIEnvironment") -> None:
        environ["SCRIPT_NAME"] = self._mounted_at
        before, found, path = environ["PATH_INFO"].partition(self._mounted_at)
        if found and not before and path[:1] in ("", "/"):
            environ["PATH_INFO"] = path or "/"

    def _read(self, environ: "WSGIEnvironment", header: str) -> str:
        return _entry(environ, header, self._trusted_proxies)


def client_address(environ: "WSGIEnvironment", *, trusted_proxies: int) -> str | None:
    """The client's address in a request that has not passed through `Forwarded`."""
    if trusted_proxies:
        return canonical_address(_entry(environ, "HTTP_X_FORWARDED_FOR", trusted_proxies))
    return canonical_address(environ.get("REMOTE_ADDR"))


def _entry(environ: "WSGIEnvironment", header: str, trusted_proxies: int) -> str:
    """The entry that the outermost trusted proxy wrote; "" if there are too few entries."""
    entries: list[str] = environ.get(header, "").rsplit(",", trusted_proxies)
    too_few = len(entries) < trusted_proxies
    return "" if too_few else entries[-trusted_proxies].strip(" \t")
