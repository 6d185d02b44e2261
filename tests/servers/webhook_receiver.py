"""A receiver of webhooks: a real server on loopback that behaves well or badly."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.servers.certificates import write_certificate

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Received:
    """One attempt, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.body)
        return message

    @property
    def type(self) -> str:
        return str(self.message["type"])

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def close(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def say_no_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 mail.example.com ESMTP\r\n")
    handler.close_connection = True


class WebhookReceiver:
    """What it received, and how it behaves; it answers 204 unless told otherwise."""

    def __init__(self, url: str, certificate: Path | None) -> None:
        self.url = url
        #: The authority that a client has to trust.
        self.certificate = certificate
        self.received: list[Received] = []
        self.behaviour: Behaviour = answer(204)
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self.flooded = 0
        #: Set at the end: what waits for it goes on.
        self.released = threading.Event()
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    @property
    def types(self) -> list[str]:
        return [each.type for each in self.received]

    def wait(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer nothing until the end, and then close the connection."""
        self.released.wait()
        handler.close_connection = True

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """Send the head of an answer byte by byte, without an end."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.released.wait(0.02):
            handler.wfile.write(b"x")

    def flood(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer 200 with a body that never ends."""
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        while not self.released.is_set():
            handler.wfile.write(b"x" * 65_536)
            self.flooded += 65_536


@contextmanager
def running_receiver(
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    tls_folder: Path | None = None,
    names: Sequence[str] = (),
) -> Iterator[WebhookReceiver]:
    """Yield a running receiver; with a folder for its certificate it speaks TLS.

    `names` are further names that the certificate is for.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            receiver.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received = Received(self.path, dict(self.headers.items()), body)
            with receiver.lock:
                receiver.received.append(received)
                receiver.at_once += 1
                receiver.most_at_once = max(receiver.most_at_once, receiver.at_once)
            try:
                receiver.behaviour(self)
            except OSError:
                self.close_connection = True  # the sender has gone: the case that is tested
            finally:
                with receiver.lock:
                    receiver.at_once -= 1

        def do_GET(self) -> None:
            raise AssertionError("nothing but messages is sent to a webhook")

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None:
            """Says nothing: a sender that does not trust it breaks off."""

    server = Server((host, port), Handler)
    certificate = None
    if tls_folder is not None:
        certificate, key = write_certificate(tls_folder, host, *names)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if tls_folder is None else "https"
    receiver = WebhookReceiver(f"{scheme}://{host}:{server.server_port}/hooks", certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
