"""S38, S39, S47: how long the worker waits for a client and for a check, and how much it keeps."""

import errno
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config

from ragauth.deadlines import WouldWait
from ragauth.server import lines, pace, turns, worker
from ragauth.server.answers import ErrorLogger
from ragauth.server.plain_http import read_plain
from ragauth.server.worker import Worker
from ragauth.web.check.login_shedding import MUST_NOT_WAIT
from ragauth.web.paths import HEALTHZ, LOGIN, is_authorize
from tests.waiting import wait_until

_SECONDS = 10
# More than the kernel keeps for both ends of a connection.
_LARGE = b"x" * 50_000_000
_POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
_GET = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"

Start = Callable[..., "_Running"]
# What `/hang` waits for.
may_end = threading.Event()


def _application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"].endswith("/fault"):
        raise OSError(errno.EIO, "a disk is broken")
    if environ["PATH_INFO"].endswith("/hang"):
        may_end.wait(_SECONDS)
    body = _LARGE if environ["PATH_INFO"] == "/large" else environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class _Running:
    """A worker in a thread of the test, and clients for it."""

    def __init__(self, listener: socket.socket, **settings: Any) -> None:
        cfg = Config()
        for name, value in settings.items():
            cfg.set(name, value)
        self._listener = listener
        self.address = listener.getsockname()
        self.worker = Worker(0, os.getppid(), [listener], None, 30, cfg, ErrorLogger(cfg))
        self.worker.wsgi = _application
        self.worker.tpool = self.worker.get_thread_pool()
        self.worker.poller = worker.selectors.DefaultSelector()
        self.worker.method_queue.init()
        self.thread = threading.Thread(target=self.worker.run)
        self.thread.start()

    @contextmanager
    def client(self) -> Iterator[socket.socket]:
        with socket.socket(self._listener.family) as client:
            client.settimeout(_SECONDS)
            client.connect(self.address)
            yield client

    def stop(self) -> None:
        self.worker.handle_exit(15, None)
        self.thread.join(_SECONDS)
        self.worker.tmp.close()
        assert not self.thread.is_alive()


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a worker; names in capitals are the modules' bounds, the others gunicorn's settings."""
    with ExitStack() as running:

        def start_worker(listener: socket.socket | None = None, **bounds: Any) -> _Running:
            for name in [name for name in bounds if name.isupper()]:
                owner = lines if hasattr(lines, f"_{name}") else worker
                monkeypatch.setattr(owner, f"_{name}", bounds.pop(name))
            monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.01)
            listener = listener or socket.create_server(("127.0.0.1", 0))
            one = _Running(listener, **bounds)
            running.callback(one.stop)
            return one

        yield start_worker


def _all(client: socket.socket) -> bytes:
    received = b""
    while part := client.recv(65_536):
        received += part
    return received


@pytest.mark.parametrize("part", [b"GET /ec", _POST, _POST + b"Content-Length: 9\r\n\r\n1234"])
def test_the_rest_of_a_request_is_awaited_so_long(start: Start, part: bytes) -> None:
    running = start(HEAD_SECONDS=0.1, BODY_SECONDS=0.1)
    with running.client() as client:
        client.sendall(part)
        answer = _all(client)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"VALIDATION_ERROR" in answer


def test_who_says_nothing_is_told_nothing(start: Start) -> None:
    running = start(HEAD_SECONDS=0.1)
    with running.client() as client:
        assert _all(client) == b""


def test_a_client_that_sends_on_does_not_begin_its_time_anew(start: Start) -> None:
    running = start(BODY_SECONDS=0.3)
    with running.client() as client:
        client.sendall(_POST + b"Content-Length: 60000\r\n\r\n")
        client.settimeout(0.02)
        received = b""
        for _ in range(1000):
            client.sendall(b"x")
            try:
                received = client.recv(12)
                break
            except TimeoutError:
                continue
        assert received == b"HTTP/1.1 408"


def test_an_answer_that_is_not_taken_is_given_up(start: Start) -> None:
    running = start(ANSWER_SECONDS=0.1)
    with running.client() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert running.worker._lines.unsent or client.recv(1)
        # It is shorter than it says: the connection is gone.
        with running.client() as other:
            other.sendall(_GET)
            assert other.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: not running.worker._lines.unsent)
        assert len(_all_or_reset(client)) < len(_LARGE)


def _all_or_reset(client: socket.socket) -> bytes:
    received = b""
    try:
        while part := client.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


def test_what_is_kept_for_all_clients_is_bounded(start: Start) -> None:
    """S38: who has waited longest must go."""
    running = start(MOST_HELD_BYTES=100_000)
    with ExitStack() as clients:
        first, second, third = (clients.enter_context(running.client()) for _ in range(3))
        for client in (first, second, third):
            client.sendall(_POST + b"Expect: 100-continue\r\nContent-Length: 55000\r\n\r\n")
            assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"x" * 40_000)
        assert _all_or_reset(first) == b""
        for client in (second, third):
            client.sendall(b"x" * 15_000)
            assert client.recv(12) == b"HTTP/1.1 200"


def test_no_connection_is_refused_while_one_waits(start: Start) -> None:
    """S39: with as many as there may be, the one that has waited longest makes room."""
    running = start(worker_connections=5, threads=2)
    with ExitStack() as clients:
        idle = [clients.enter_context(running.client()) for _ in range(20)]
        assert _all_or_reset(idle[0]) == b""
        asking = clients.enter_context(running.client())
        asking.sendall(_GET)
        assert asking.recv(12) == b"HTTP/1.1 200"


def test_logins_that_wait_for_their_refusal_keep_no_client_out(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S39: a flood of them may hold all connections that there may be."""
    running = start(worker_connections=5, threads=2)
    monkeypatch.setattr(turns, "find_quick_request", lambda _app, data, _client: read_plain(data))
    refusals, waiting = running.worker._refusals, list[object]()
    puts_off = refusals.puts_off
    with ExitStack() as clients, monkeypatch.context() as none_is_refused:
        none_is_refused.setattr(refusals, "_earliest_at", math.inf)
        none_is_refused.setattr(
            refusals, "puts_off", lambda conn: puts_off(conn) and not waiting.append(conn)
        )
        flood: list[socket.socket] = []
        for _ in range(5):
            flood.append(clients.enter_context(running.client()))
            flood[-1].sendall(_GET.replace(b"/echo", LOGIN.encode()))
            wait_until(lambda: len(waiting) == len(flood))
        asking = clients.enter_context(running.client())
        asking.sendall(_GET)
        assert asking.recv(12) == b"HTTP/1.1 200"
        assert _all_or_reset(flood[0]) == b""


class _OutOfFiles(socket.socket):
    """A listener that finds no file for its first connections."""

    def __init__(self) -> None:
        super().__init__()
        self.bind(("127.0.0.1", 0))
        self.listen()
        self.faults = [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EPROTO]

    def accept(self) -> tuple[socket.socket, Any]:
        if self.faults:
            raise OSError(self.faults.pop(), "no room")
        return super().accept()


def test_no_fault_of_accept_ends_the_worker(start: Start) -> None:
    """S39: it waits a little, and does not spin."""
    listener = _OutOfFiles()
    running = start(listener, PAUSE_SECONDS=0.01)
    with running.client() as client:
        client.sendall(_GET)
        assert client.recv(12) == b"HTTP/1.1 200"
    assert not listener.faults


def test_a_unix_socket_is_served_too(start: Start, tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    running = start(listener)
    with running.client() as client:
        client.sendall(_POST + b"Content-Length: 3\r\n\r\nabc" + _GET + b"garbage\r\n\r\n")
        answers = _all(client)
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"400"]
    assert b"\r\n\r\nabc" in answers


@pytest.mark.parametrize("path", [b"/fault", b"/api/v1/authorize/fault"])
def test_a_fault_of_the_application_is_never_taken_for_one_of_the_connection(
    start: Start, path: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """In a thread and in the poller alike: the client has its answer, the operator a line."""
    running = start()
    with running.client() as client:
        client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert _all(client).startswith(b"HTTP/1.1 500 ")
    assert "a disk is broken" in caplog.text


def test_the_last_request_before_a_restart_is_told_that_it_is_the_last(start: Start) -> None:
    running = start(max_requests=2)
    with running.client() as client:
        client.sendall(_GET + _GET)
        answers = _all(client)
    assert answers.count(b"HTTP/1.1 200") == 2
    assert answers.index(b"keep-alive") < answers.index(b"Connection: close")
    running.thread.join(_SECONDS)
    assert not running.thread.is_alive()


class _Database:
    """An application whose thread waits for a database that does not answer."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.has_begun = threading.Semaphore(0)
        self.asked: list[bool] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        is_polling = MUST_NOT_WAIT in environ
        path = environ["PATH_INFO"]
        if is_authorize(path):
            self.asked.append(is_polling)
            if is_polling and not self.answers.is_set():
                raise WouldWait(has_waited=path.endswith("/late"))
        if path.endswith("/late") or not (is_authorize(path) or path == HEALTHZ):
            self.has_begun.release()
            self.answers.wait(_SECONDS)
        body = path.encode() + environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def test_a_check_that_would_wait_is_answered_by_the_pool_and_so_is_what_follows(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S47: the client has each answer once and in order."""
    running = start()
    running.worker.wsgi = database = _Database()
    # Longer than the test: the pool's answer to the first one does not end the pause.
    monkeypatch.setattr(pace.Pace, "_SHORTEST_LATE_PAUSE", math.inf)
    with running.client() as client:
        client.sendall(_get("/api/v1/authorize/late") + _get("/api/v1/authorize/b") + _get("/c"))
        assert database.has_begun.acquire(timeout=_SECONDS)
        database.answers.set()
        client.shutdown(socket.SHUT_WR)
        answers = _all(client)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"/api/v1/authorize/late", b"/api/v1/authorize/b", b"/c"]
    # The second one is not tried in the polling thread: the first was late there.
    assert database.asked == [True, False, False]


def test_the_polling_thread_checks_again_when_the_late_check_has_its_answer(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S47"""
    running = start(threads=2)
    running.worker.wsgi = database = _Database()
    # The answer alone ends the pause.
    monkeypatch.setattr(pace, "CHECK_SECONDS", math.inf)
    monkeypatch.setattr(pace.Pace, "_SHORTEST_LATE_PAUSE", 0.0)
    with running.client() as late, running.client() as client:

        def is_polling() -> bool:
            client.sendall(_get("/api/v1/authorize"))
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
            return database.asked[-1]

        late.sendall(_get("/api/v1/authorize/late"))
        assert database.has_begun.acquire(timeout=_SECONDS)
        assert not any(is_polling() for _ in range(5))
        database.answers.set()
        assert late.recv(12) == b"HTTP/1.1 200"
        # The polling thread learns of it a moment after the client.
        wait_until(is_polling)


def test_a_check_that_finds_no_connection_says_nothing_of_the_next(start: Start) -> None:
    running = start()
    running.worker.wsgi = database = _Database()
    with running.client() as client:
        for _ in range(2):
            client.sendall(_get("/api/v1/authorize"))
            assert client.recv(12) == b"HTTP/1.1 200"
            client.recv(65_536)
    assert database.asked == [True, False] * 2


@pytest.mark.parametrize(
    "request_of_a_probe",
    [
        _get("/healthz"),
        b"HEAD /healthz HTTP/1.0\r\n\r\n",
        b"GET http://a/healthz?x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_a_probe_is_answered_while_every_thread_of_the_pool_waits(
    start: Start, request_of_a_probe: bytes
) -> None:
    """S47"""
    running = start(threads=2)
    running.worker.wsgi = database = _Database()
    with ExitStack() as clients:
        for _ in range(5):
            clients.enter_context(running.client()).sendall(_GET)
        for _ in range(2):
            assert database.has_begun.acquire(timeout=_SECONDS)
        probe = clients.enter_context(running.client())
        probe.sendall(request_of_a_probe)
        assert probe.recv(12).endswith(b" 200")
        database.answers.set()
