"""GitHub, as far as its secret scanning needs it: key pairs, a list of keys, signed reports."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from werkzeug.test import TestResponse

from tests.clients import Client

PATH = "/api/v1/leaks/github"
URL = "https://github.com/octocat/hello/blob/1a2b3c4d/app.py"


class Github:
    """Signs reports; `listed` is what its server tells, and `asked` how often it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked = 0
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.released = threading.Event()
        self.released.set()
        self._keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.add_key("first")

    def add_key(self, identifier: str, curve: ec.EllipticCurve | None = None) -> None:
        self._keys[identifier] = ec.generate_private_key(curve or ec.SECP256R1())

    def withdraw_key(self, identifier: str) -> None:
        del self._keys[identifier]

    def answer(self) -> bytes:
        if self.body is not None:
            return self.body
        listed = [
            {"key_identifier": identifier, "key": _pem(key), "is_current": True}
            for identifier, key in self._keys.items()
        ]
        return json.dumps({"public_keys": listed}).encode()

    def sign(self, body: bytes, by: str = "first") -> dict[str, str]:
        """The two headers of a report."""
        signature = self._keys[by].sign(body, ec.ECDSA(SHA256()))
        return {
            "Github-Public-Key-Identifier": by,
            "Github-Public-Key-Signature": base64.b64encode(signature).decode(),
        }

    def report(
        self, client: Client, *tokens: str, by: str = "first", **fields: Any
    ) -> list[dict[str, str]]:
        """Report texts that were found; returns their labels."""
        leaks = [found(token, **fields) for token in tokens]
        response = self.send(client, json.dumps(leaks).encode(), by=by)
        assert (response.status_code, response.content_type) == (200, "application/json")
        judged: list[dict[str, str]] = response.get_json()
        return judged

    def send(self, client: Client, body: bytes, by: str = "first") -> TestResponse:
        return send(client, body, self.sign(body, by))


def found(token: str, **fields: Any) -> dict[str, Any]:
    return {"token": token, "type": "acme_api_key", "url": URL, "source": "content", **fields}


def send(client: Client, body: bytes, headers: dict[str, str]) -> TestResponse:
    return client.post(PATH, data=body, headers=headers, content_type="application/json")


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@contextmanager
def running_github() -> Iterator[Github]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            github.asked += 1
            github.released.wait(10)
            content = github.answer()
            self.send_response(github.status)
            for name, value in github.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True  # the asker has read enough

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    github = Github(f"http://127.0.0.1:{server.server_port}/keys")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield github
    finally:
        github.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
