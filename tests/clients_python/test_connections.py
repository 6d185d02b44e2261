"""Connections are kept for the next call, and lead where the URL says."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.servers.processes import free_port

_SETTLED = b'{"data": {"reservation_id": "rsv_1", "used": {}, "released": {}}}'


class _Counting(ThreadingHTTPServer):
    daemon_threads = True
    connections = 0
    requests = 0


class _Settles(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Counting

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.server.requests += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(_SETTLED)))
        self.end_headers()
        self.wfile.write(_SETTLED)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test reads the numbers."""


@pytest.fixture
def server() -> Iterator[_Counting]:
    with _Counting(("127.0.0.1", 0), _Settles) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_calls_share_a_connection_and_no_proxy_of_the_environment(
    server: _Counting, make_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    client = make_client(f"http://127.0.0.1:{server.server_port}/", "rag_svc_x", waits=())
    for _ in range(3):
        client.settle("rsv_1", {})
    assert (server.connections, server.requests) == (1, 3)
