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
from urllib.parse import urlsplit

FOLDER = Path(__file__).resolve().parent
# What the console has no file of its own for is the dashboard's: looks and parts.
DASHBOARD = FOLDER.parent / "dashboard"
SHARED = re.compile(r"css/[a-z-]{1,40}\.css|js/[a-z-]{1,40}\.js|icon\.svg")
OWN = re.compile(rf"index\.html|js/views/[a-z-]{{1,40}}\.js|{SHARED.pattern}")
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
LENGTH = re.compile("[0-9]{1,9}")
PATIENCE_SECONDS = 30

# Its types and headers; the file is called as this one is, so it cannot be imported.
dashboard = SimpleNamespace(**run_path(str(DASHBOARD / "serve.py")))
# No call but to this origin.
SECURITY = dashboard.security_headers("")


class Console(BaseHTTPRequestHandler):
    """The files, the calls; any other path is a view of the console, so it is index.html."""

    protocol_version = "HTTP/1.1"
    # An answer in one piece: head and body apart would each wait for an acknowledgement.
    wbufsize = -1
    # Of silence, then the connection is closed.
    timeout = 60

    def __init__(self, config: dict[str, str], *arguments: object) -> None:
        self.config = config
        super().__init__(*arguments)  # type: ignore[arg-type]

    def parse_request(self) -> bool:
        """Whether there is a request to answer, with its body read.

        What is refused here ends the connection: else what was not read of a body would be taken
        for the next request, with a `Host` of its author's choice.
        """
        if not super().parse_request():
            return False
        lengths = self.headers.get_all("Content-Length", ["0"])
        is_whole = len(lengths) == 1 and LENGTH.fullmatch(lengths[0]) is not None
        if not self._is_for_us():
            self._refuse_all(
                HTTPStatus.MISDIRECTED_REQUEST, "This server is called by another name"
            )
        elif (
            "Transfer-Encoding" in self.headers or not is_whole or int(lengths[0]) > MAX_BODY_BYTES
        ):
            self._refuse_all(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
        else:
            self.body = self.rfile.read(int(lengths[0]))
            return len(self.body) == int(lengths[0])
        return False

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics" or path.startswith("/api/"):
            self._hand_on()
        elif path == "/config.json":
            # The API is behind this origin.
            self._answer(json.dumps({"name": self.config["name"]}).encode(), ".json")
        else:
            self._answer_file(path.lstrip("/"))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._hand_on()

    def do_PATCH(self) -> None:
        self._hand_on()

    def do_DELETE(self) -> None:
        self._hand_on()

    def _is_for_us(self) -> bool:
        """Whether the browser means this server.

        A name of somebody else's that resolves to this address (DNS rebinding) would make their
        page ours, and `/metrics` may be open to all that reach it.
        """
        hosts = self.headers.get_all("Host", [])
        names = [host.partition(":")[0].lower() for host in hosts]
        return self.path.startswith("/") and names in (["127.0.0.1"], ["localhost"])

    def _answer_file(self, name: str) -> None:
        if "." not in name:
            name = "index.html"
        file = FOLDER / name
        if SHARED.fullmatch(name) and not file.is_file():
            file = DASHBOARD / name
        if OWN.fullmatch(name) and file.is_file():
            self._answer(file.read_bytes(), file.suffix)
        else:
            self._answer(b"Not found\n", ".html", HTTPStatus.NOT_FOUND)

    def _hand_on(self) -> None:
        """Send the call to the API, and its answer back."""
        if not HANDED_ON.fullmatch(self.path):
            self._refuse(HTTPStatus.NOT_FOUND, "The console does not call this")
            return
        headers = {name: self.headers[name] for name in SENT if name in self.headers}
        headers["User-Agent"] = USER_AGENT
        try:
            status, answered, content = self._ask(headers)
        except (OSError, http.client.HTTPException):
            self._refuse(HTTPStatus.BAD_GATEWAY, f"{self.config['api']} does not answer")
            return
        self.send_response(status)
        for name, value in answered.items():
            self.send_header(name, value)
        # A page that a proxy before the API sends is no page of this origin's that may run scripts.
        for name, value in {**SECURITY, "Cache-Control": "no-store"}.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _ask(self, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        api = urlsplit(self.config["api"])
        is_secure = api.scheme == "https"
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        connection = kind(api.netloc, timeout=PATIENCE_SECONDS)
        try:
            # A redirect is not followed: the key goes nowhere else.
            connection.request(self.command, api.path + self.path, self.body or None, headers)
            answer = connection.getresponse()
            answered = {name: value for name in ANSWERED if (value := answer.getheader(name))}
            return answer.status, answered, answer.read()
        finally:
            connection.close()

    def _refuse_all(self, status: HTTPStatus, message: str) -> None:
        """Refuse this request, and whatever follows it on the connection."""
        self.close_connection = True
        self._refuse(status, message)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """In the form of the API's own failures."""
        code = "EXTERNAL_SERVICE_ERROR" if status == HTTPStatus.BAD_GATEWAY else "NOT_FOUND"
        error = {"error": {"code": code, "message": message}}
        self._answer(json.dumps(error).encode(), ".json", status)

    def _answer(self, body: bytes, suffix: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", dashboard.TYPES[suffix])
        self.send_header("Content-Length", str(len(body)))
        for name, value in SECURITY.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
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
    if not re.match(r"https?://[^/]", config["api"]):
        sys.exit(f"{config['api']} is no address of an API, such as https://auth.example.com")
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
