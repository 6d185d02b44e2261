"""Connections are kept for the next call, and lead where the URL says."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ragauth_client import AsyncClient

from tests.cases import for_each
from tests.loops import run_beside

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
    server: _Counting, make_client: Any, monkeypatch: pytest.MonkeyPatch, port_of_nobody: int
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port_of_nobody}")
    client = make_client(f"http://127.0.0.1:{server.server_port}/", "rag_svc_x", waits=())
    for _ in range(3):
        client.settle("rsv_1", {})
    assert (server.connections, server.requests) == (1, 3)


# A loop that has ended leaves what it had to the collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_each_event_loop_has_connections_of_its_own(server: _Counting) -> None:
    """A server of WSGI runs each asynchronous view in a new one."""
    client = AsyncClient(f"http://127.0.0.1:{server.server_port}", "rag_svc_x", waits=())
    for _ in range(3):
        run_beside(_settle(client))
    assert (server.connections, server.requests) == (3, 3)
    del client
    gc.collect()


async def _settle(client: AsyncClient) -> None:
    await client.settle("rsv_1", {})


@pytest.fixture
def trickle() -> Iterator[str]:
    """The URL of a server whose bodies come one byte at a time, for two seconds."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            for _ in range(100):
                connection.sendall(b" ")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        # On a busy machine the time may be over before anybody has come.
        socket.create_connection(listener.getsockname()).close()
        thread.join()


def test_an_answer_that_comes_byte_by_byte_is_waited_for_no_longer(
    trickle: str, make_client: Any
) -> None:
    began = time.monotonic()
    assert make_client(trickle, "rag_svc_x", verify_timeout=0.1).verify("x").status == 503
    assert time.monotonic() - began < 1.5


@for_each(
    "faulty",
    [
        *({"service_key": "rag_svc_x "}, {"service_key": "rag svc"}, {"service_key": "ä"}),
        *({"timeout": 0}, {"verify_timeout": -1}, {"verify_timeout": float("nan")}),
        *({"url": "http://user:password@127.0.0.1"}, {"url": "http://127.0.0.1/?x=1"}),
    ],
)
def test_what_can_never_work_stops_the_start(make_client: Any, faulty: dict[str, Any]) -> None:
    """With `on_unavailable="allow"` it would let everybody in, for good."""
    with pytest.raises(ValueError):  # noqa: PT011
        make_client(**{"url": "http://127.0.0.1:1", "service_key": "rag_svc_x", **faulty})
