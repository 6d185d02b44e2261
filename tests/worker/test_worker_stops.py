"""S35: what a worker still does when it stops, and that it stops when its pool hangs."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ragauth.server import pool_watch
from ragauth.server.connection import Connection
from ragauth.server.worker import Worker
from tests.worker.test_worker_waits import Start, _Running, may_end, start

__all__ = ["start"]

_GET = b"GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
_HANG = b"GET /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def _held(running: _Running) -> Iterator[None]:
    """While its poller looks at nothing."""
    is_held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        is_held.set()
        go_on.wait(10)

    running.worker.method_queue.defer(hold)
    assert is_held.wait(10)
    try:
        yield
    finally:
        go_on.set()


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _head(client: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        part = client.recv(4096)
        assert part, received
        received += part
    return received.lower()


def test_who_is_connected_and_not_taken_yet_is_answered(start: Start) -> None:
    """The socket may be the only one; who waits at it would be reset."""
    running = start()
    with _held(running):
        clients = [socket.create_connection(running.address, timeout=10) for _ in range(5)]
        for client in clients:
            client.sendall(_GET)
        running.worker.handle_exit(15, None)
    for client in clients:
        with client:
            assert b"connection: close" in _head(client)


def test_a_kept_connection_has_its_time_and_then_its_last_answer(start: Start) -> None:
    running = start(keepalive=60, STOP_SECONDS=60)
    with running.client() as client:
        client.sendall(_GET)
        assert b"connection: keep-alive" in _head(client)
        _until(lambda: len(running.worker._lines.kept) == 1)
        running.worker.handle_exit(15, None)
        _until(lambda: running.worker.sockets[0].fileno() == -1)
        # No less than it was promised, a minute from its last answer; the machine may be busy.
        (end,) = running.worker._lines.kept.values()
        assert end - time.monotonic() > 30
        client.sendall(_GET)
        assert b"connection: close" in _head(client)


def test_a_request_that_comes_as_the_time_of_its_connection_ends_is_answered(start: Start) -> None:
    running = start()
    with running.client() as client:
        client.sendall(_GET)
        _head(client)
        _until(lambda: len(running.worker._lines.kept) == 1)
        with _held(running):
            client.sendall(_GET)
            for conn in running.worker._lines.kept:
                running.worker._lines.kept[conn] = 0.0
        assert b"connection: keep-alive" in _head(client)


def test_it_stops_when_every_thread_of_its_pool_hangs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[int] = []
    monkeypatch.setattr(pool_watch.os, "_exit", ends.append)
    may_end.clear()
    running = start(threads=2, timeout=1, POOL_TIMEOUTS=0.1, STOP_SECONDS=0.2)
    taken: list[Connection] = []
    monkeypatch.setattr(
        running.worker,
        "enqueue_req",
        lambda conn: (taken.append(conn), Worker.enqueue_req(running.worker, conn)),
    )
    try:
        with running.client() as first, running.client() as second:
            first.sendall(_HANG)
            second.sendall(_HANG)
            running.thread.join(10)
            assert not running.thread.is_alive()
            assert ends == [1]
    finally:
        may_end.set()
        # The process would end with them open.
        for conn in taken:
            conn.close()
