"""Checks come before other quick requests, and no list has a say in how checks are answered."""

import math
import socket
from contextlib import ExitStack
from typing import Any

import pytest

from ragauth.deadlines import WouldWait
from ragauth.server import pace, turns
from ragauth.server.plain_http import read_plain
from ragauth.web.check.login_shedding import MUST_NOT_WAIT
from tests.worker.test_worker_stops import _held
from tests.worker.test_worker_waits import Start, _all, _get, _Running, start

__all__ = ["start"]

_CHECK = "/api/v1/authorize"


class _Application:
    """Notes what it is asked, and whether the polling thread asks it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        path, is_polling = environ["PATH_INFO"], MUST_NOT_WAIT in environ
        self.asked.append((path, is_polling))
        if path == "/late" and is_polling:
            raise WouldWait(has_waited=True)
        body = path.encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> _Application:
    """Every path of it is quick."""
    monkeypatch.setattr(turns, "find_quick_request", lambda _app, data, _client: read_plain(data))
    return _Application()


@pytest.fixture
def running(start: Start, application: _Application, monkeypatch: pytest.MonkeyPatch) -> _Running:
    """A worker that answers one list in each round."""
    monkeypatch.setattr(turns, "_SECONDS", 0.0)
    one = start()
    one.worker.wsgi = application
    return one


def _bodies(answers: bytes) -> list[bytes]:
    return [part.partition(b"\r\n\r\n")[2] for part in answers.split(b"HTTP/1.1 ")[1:]]


def _accepted(running: _Running, clients: ExitStack) -> socket.socket:
    client = clients.enter_context(running.client())
    client.sendall(_get("/"))
    assert client.recv(65_536).endswith(b"/")
    return client


def test_a_check_waits_for_no_list_that_came_before_it(
    running: _Running, application: _Application
) -> None:
    with ExitStack() as clients:
        lists = [_accepted(running, clients) for _ in range(8)]
        checking = _accepted(running, clients)
        application.asked.clear()
        with _held(running):
            for client in lists:
                client.sendall(_get("/list"))
            checking.sendall(_get(_CHECK))
        for client in (*lists, checking):
            assert client.recv(12) == b"HTTP/1.1 200"

    assert application.asked[0] == (_CHECK, True)
    assert application.asked[1:] == [("/list", True)] * 8


def test_what_one_client_asks_is_answered_in_its_order(running: _Running) -> None:
    """It may end its sending while its first request waits for its turn."""
    with ExitStack() as clients:
        others = [_accepted(running, clients) for _ in range(3)]
        client = _accepted(running, clients)
        with _held(running):
            for other in others:
                other.sendall(_get("/list"))
            client.sendall(_get("/a") + _get(_CHECK) + _get("/b"))
            client.shutdown(socket.SHUT_WR)
        answers = _all(client)

    assert _bodies(answers) == [b"/a", _CHECK.encode(), b"/b"]


def test_who_has_gone_when_its_turn_comes_is_forgotten(running: _Running) -> None:
    with running.client() as client:
        for _ in range(3):
            with _held(running), running.client() as gone:
                gone.sendall(_get("/list"))
        client.sendall(_get("/b"))
        assert client.recv(65_536).endswith(b"/b")
    running.stop()

    assert running.worker.nr_conns == 0


def test_a_list_that_would_wait_leaves_the_checks_to_the_polling_thread(
    running: _Running, application: _Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next lists are left to the pool, as long as that one is late."""
    monkeypatch.setattr(pace.Pace, "_SHORTEST_LATE_PAUSE", math.inf)
    with running.client() as client:
        for path in ("/late", _CHECK, "/list", _CHECK):
            client.sendall(_get(path))
            assert client.recv(65_536).endswith(path.encode())

    assert application.asked == [
        ("/late", True),
        ("/late", False),
        (_CHECK, True),
        ("/list", False),
        (_CHECK, True),
    ]
