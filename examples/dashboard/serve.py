"""Serves the dashboard on an origin of its own, as a production server should.

The headers are the point: copy them to the server that you deploy it with. Standard library alone.
"""

import argparse
import json
import os
import sys
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

FOLDER = Path(__file__).resolve().parent
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


def security_headers(api: str) -> dict[str, str]:
    """No script but the dashboard's own files, no inline code, and no call but to the API."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        # data: is the QR code of the second factor.
        "img-src": "'self' data:",
        "connect-src": f"'self' {api}",
        "base-uri": "'none'",
        # Forms are sent by scripts; one that is not must not put a password into an address.
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(map(" ".join, policy.items())),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-cache",
    }


class Dashboard(BaseHTTPRequestHandler):
    """The files; any other path is a view of the dashboard, so it is index.html."""

    protocol_version = "HTTP/1.1"
    # An answer in one piece: head and body apart would each wait for an acknowledgement.
    wbufsize = -1

    def __init__(self, config: dict[str, str], *arguments: object) -> None:
        self.config = config
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/config.json":
            self._answer(json.dumps(self.config).encode(), ".json")
            return
        file = (FOLDER / path.lstrip("/")).resolve() if "\0" not in path else FOLDER
        if not file.suffix:
            file = FOLDER / "index.html"
        if file.suffix in TYPES and file.is_relative_to(FOLDER) and file.is_file():
            self._answer(file.read_bytes(), file.suffix)
        else:
            self._answer(b"Not found\n", ".html", HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, body: bytes, suffix: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", TYPES[suffix])
        self.send_header("Content-Length", str(len(body)))
        for name, value in security_headers(self.config["api"]).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence: what the dashboard does is in the API's log."""


def setting(name: str, default: str) -> str:
    """An environment variable; one that is empty is as if unset."""
    return os.environ.get(name, "").strip() or default


def main() -> None:
    config = json.loads((FOLDER / "config.json").read_text("utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", default=setting("DASHBOARD_PORT", "5173"))
    # PORT is where ragauth listens, as for `make run`.
    port = setting("PORT", "")
    api = f"http://127.0.0.1:{port}" if port else config["api"]
    parser.add_argument("--api", default=setting("RAGAUTH_API", api))
    options = parser.parse_args()
    config["api"] = options.api.rstrip("/")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(options.port)), partial(Dashboard, config))
    except (ValueError, OverflowError, OSError):
        sys.exit(
            f"127.0.0.1:{options.port} cannot be served: no port, or taken by another program."
            " Take another: make dashboard DASHBOARD_PORT=5174"
        )
    origin = f"http://127.0.0.1:{server.server_port}"
    print(  # noqa: T201
        f"\nThe dashboard is at {origin} and calls {config['api']} (Ctrl-C ends it)."
        "\nAllow its origin, in another terminal:\n"
        f"\n  RAGAUTH_CORS_ORIGINS={origin} RAGAUTH_DASHBOARD_URL={origin}"
        " RAGAUTH_REFRESH_COOKIE=true make run\n",
        flush=True,
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
