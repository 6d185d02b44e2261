"""Serves the operator's console, and hands its calls of the internal API on to ragauth.

The page calls its own origin alone, so ragauth allows no other origin for what service keys open.
What is handed on is what the page sent: this server has no credential. Standard library alone.
"""

import argparse
import http.client
import json
import re
import sys
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

FOLDER = Path(__file__).resolve().parent
# What the console has no file of its own for is the dashboard's: looks and parts.
DASHBOARD = FOLDER.parent / "dashboard"
SHARED = re.compile(r"css/[a-z-]+\.css|js/[a-z-]+\.js|icon\.svg")
# A segment begins with a letter, so none of them leads up; an id has no percent-escape.
HANDED_ON = re.compile(
    r"/(metrics|api/v1/me|api/v1/internal(/[A-Za-z][A-Za-z0-9_-]*)+)(\?[\x21-\x7e]*)?"
)
SENT = ("Authorization", "Content-Type", "Accept")
# An account's history tells it; the dashboard says "by the operator".
USER_AGENT = "operator"
# Beside the type: what the page reads.
ANSWERED = ("Content-Type", "Retry-After", "WWW-Authenticate", "X-Request-Id")
MAX_BODY_BYTES = 64 * 1024
PATIENCE_SECONDS = 30

# Its types and headers; the file is called as this one is, so it cannot be imported.
dashboard = SimpleNamespace(**run_path(str(DASHBOARD / "serve.py")))


class Console(BaseHTTPRequestHandler):
    """The files, the calls; any other path is a view of the console, so it is index.html."""

    protocol_version = "HTTP/1.1"
    # An answer in one piece: head and body apart would each wait for an acknowledgement.
    wbufsize = -1

    def __init__(self, config: dict[str, str], *arguments: object) -> None:
        self.config = config
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        path = urlsplit(self.path).path
        if path == "/metrics" or path.startswith("/api/"):
            self._hand_on()
        elif path == "/config.json":
            # The API is behind this origin.
            self._answer(json.dumps({"name": self.config["name"]}).encode(), ".json")
        else:
            self._answer_file(unquote(path))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        if self._is_for_us():
            self._hand_on()

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        self.do_POST()

    def _is_for_us(self) -> bool:
        """Whether the browser means this server.

        A name of somebody else's that resolves to this address (DNS rebinding) would make their
        page ours, and `/metrics` may be open to all that reach it.
        """
        host, _, _ = self.headers.get("Host", "").partition(":")
        if host in ("127.0.0.1", "localhost"):
            return True
        self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "This server is called by another name")
        return False

    def _answer_file(self, path: str) -> None:
        name = path.lstrip("/")
        file = (FOLDER / name).resolve() if "\0" not in path else FOLDER
        if not file.suffix:
            file = FOLDER / "index.html"
        is_ours = file.is_relative_to(FOLDER)
        if SHARED.fullmatch(name) and not file.exists():
            file, is_ours = DASHBOARD / name, True
        if file.suffix in dashboard.TYPES and is_ours and file.is_file():
            self._answer(file.read_bytes(), file.suffix)
        else:
            self._answer(b"Not found\n", ".html", HTTPStatus.NOT_FOUND)

    def _hand_on(self) -> None:
        """Send the call to the API, and its answer back."""
        length = self.headers.get("Content-Length", "0")
        is_whole = "Transfer-Encoding" not in self.headers and length.isdecimal()
        if not is_whole or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
            return
        body = self.rfile.read(int(length))
        if not HANDED_ON.fullmatch(self.path):
            self._refuse(HTTPStatus.NOT_FOUND, "The console does not call this")
            return
        headers = {name: self.headers[name] for name in SENT if name in self.headers}
        headers["User-Agent"] = USER_AGENT
        try:
            status, answered, content = self._ask(body, headers)
        except (OSError, http.client.HTTPException):
            self._refuse(HTTPStatus.BAD_GATEWAY, f"{self.config['api']} does not answer")
            return
        self.send_response(status)
        for name, value in answered.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _ask(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        api = urlsplit(self.config["api"])
        is_secure = api.scheme == "https"
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        connection = kind(api.netloc, timeout=PATIENCE_SECONDS)
        try:
            # A redirect is not followed: the key goes nowhere else.
            connection.request(self.command, api.path + self.path, body or None, headers)
            answer = connection.getresponse()
            answered = {name: value for name in ANSWERED if (value := answer.getheader(name))}
            return answer.status, answered, answer.read()
        finally:
            connection.close()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """In the form of the API's own failures."""
        code = "EXTERNAL_SERVICE_ERROR" if status == HTTPStatus.BAD_GATEWAY else "NOT_FOUND"
        error = {"error": {"code": code, "message": message}}
        self._answer(json.dumps(error).encode(), ".json", status)

    def _answer(self, body: bytes, suffix: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", dashboard.TYPES[suffix])
        self.send_header("Content-Length", str(len(body)))
        # No call but to this origin.
        for name, value in dashboard.security_headers("").items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silence: what the console does is in the API's log."""


def main() -> None:
    config = json.loads((FOLDER / "config.json").read_text("utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", default=dashboard.setting("CONSOLE_PORT", "5175"))
    # PORT is where ragauth listens, as for `make run`.
    port = dashboard.setting("PORT", "")
    api = f"http://127.0.0.1:{port}" if port else config["api"]
    parser.add_argument("--api", default=dashboard.setting("RAGAUTH_API", api))
    options = parser.parse_args()
    config["api"] = options.api.rstrip("/")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(options.port)), partial(Console, config))
    except (ValueError, OverflowError, OSError):
        sys.exit(
            f"127.0.0.1:{options.port} cannot be served: no port, or taken by another program."
            " Take another: make console CONSOLE_PORT=5176"
        )
    print(  # noqa: T201
        f"\nThe console is at http://127.0.0.1:{server.server_port} and calls {config['api']}"
        " (Ctrl-C ends it)."
        "\nIt asks for a service key. Make one, in another terminal:\n"
        "\n  flask --app wsgi service-keys create --name console --scope accounts --scope keys"
        " --scope usage --scope webhooks\n",
        flush=True,
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
