"""A small service that answers questions, well or badly: a real server on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler], None]


class Upstream:
    """What was asked, and how it behaves; it answers with JSON unless told otherwise."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.questions: list[dict[str, Any]] = []
        self.behaviour: Behaviour = answer(200, {"answer": "Hi!"})
        self.released = threading.Event()


def answer(status: int, body: Any, **headers: str) -> Behaviour:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return behave


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            upstream.questions.append(
                {"path": self.path, "headers": dict(self.headers), "body": json.loads(body)}
            )
            try:
                upstream.behaviour(self)
            except OSError:
                self.close_connection = True  # the asker has gone: the case that is tested

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    upstream = Upstream(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield upstream
    finally:
        upstream.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
