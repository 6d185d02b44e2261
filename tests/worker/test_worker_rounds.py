"""S47: checks that have arrived together are answered together, each client its own."""

import select
import socket
from contextlib import ExitStack
from typing import Any

from ragauth.deadlines import WouldWait
from ragauth.web.check.login_shedding import MUST_NOT_WAIT
from tests.waiting import wait_until
from tests.worker.test_worker_stops import _held
from tests.worker.test_worker_waits import Start, start

__all__ = ["start"]


class _Rounds:
    """An application that answers rounds by the last part of each path."""

    def __init__(self) -> None:
        self.wsgi_app = self
        self.rounds: list[list[str]] = []
        self.alone: list[tuple[str, bool]] = []
        self.bodies: list[bytes] = []

    def answer_round(self, environs: list[dict[str, Any]]) -> list[Any]:
        names = [environ["PATH_INFO"].rpartition("/")[2] for environ in environs]
        self.rounds.append(names)
        for environ in environs:
            environ["wsgi.input"].read()
        if "broken" in names:
            raise RuntimeError("planted")
        return [self._reply(name) for name in names]

    def _reply(self, name: str) -> Any:
        if name == "late":
            return WouldWait(has_waited=False)
        return (
            None if name in ("other", "verify") else ("200 OK", [("Content-Length", "5")], b"round")
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.alone.append((environ["PATH_INFO"].rpartition("/")[2], MUST_NOT_WAIT in environ))
        self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Length", "5")])
        return [b"alone"]


def _get(name: str) -> bytes:
    return f"GET /api/v1/authorize/{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def _clients(running: Any, clients: ExitStack, count: int) -> list[socket.socket]:
    """So many that the worker has taken, so that it finds what they send in one look."""
    taken = [clients.enter_context(running.client()) for _ in range(count)]
    wait_until(lambda: running.worker.nr_conns == count)
    return taken


def _answers(client: socket.socket, count: int) -> list[bytes]:
    received = b""
    while received.count(b"HTTP/1.1 ") < count or not received.endswith((b"round", b"alone")):
        part = client.recv(65_536)
        assert part, received
        received += part
    return [part[:3] + part[-5:] for part in received.split(b"HTTP/1.1 ")[1:]]


def test_each_client_has_the_answers_to_its_own_questions_in_order(start: Start) -> None:
    running = start()
    running.worker.wsgi = application = _Rounds()
    with ExitStack() as clients:
        first, second, third, fourth = _clients(running, clients, 4)
        with _held(running):
            first.sendall(_get("a") + _get("b") + _get("c"))
            second.sendall(_get("other"))
            third.sendall(_get("late") + _get("d"))
            fourth.sendall(_get("e")[:30])
        assert _answers(first, 3) == [b"200round"] * 3
        assert _answers(second, 1) == [b"200alone"]
        assert _answers(third, 2) == [b"200alone", b"200round"]
        fourth.sendall(_get("e")[30:])
        assert _answers(fourth, 1) == [b"200alone"]
    assert sorted(application.rounds[0]) == ["a", "late", "other"]
    assert application.rounds[1][0] == "b"
    # Where the gate has no answer, the application is asked by the same thread, and after a wait by
    # one of the pool.
    assert {("other", True), ("late", False)} <= set(application.alone)


def test_the_application_reads_a_body_that_a_round_has_read(start: Start) -> None:
    running = start()
    running.worker.wsgi = application = _Rounds()
    head = b"POST /api/v1/keys/verify HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
    with running.client() as client:
        client.sendall(head + b"body")
        assert _answers(client, 1) == [b"200alone"]
    assert application.rounds == [["verify"]]
    assert application.bodies == [b"body"]


def test_a_fault_of_a_round_is_answered_to_each_client(start: Start) -> None:
    running = start()
    running.worker.wsgi = _Rounds()
    with ExitStack() as clients:
        both = _clients(running, clients, 2)
        with _held(running):
            both[0].sendall(_get("broken"))
            both[1].sendall(_get("a"))
        for client in both:
            assert client.recv(12) == b"HTTP/1.1 500"
        other = clients.enter_context(running.client())
        other.sendall(_get("a"))
        assert _answers(other, 1) == [b"200round"]


def test_no_round_holds_up_its_clients_for_all_others(start: Start) -> None:
    running = start()
    running.worker.wsgi = application = _Rounds()
    with ExitStack() as clients:
        all_of_them = _clients(running, clients, 70)
        with _held(running):
            for client in all_of_them:
                client.sendall(_get("a"))
        for client in all_of_them:
            assert _answers(client, 1) == [b"200round"]
    assert max(map(len, application.rounds)) <= 32


def test_who_sends_many_checks_at_once_holds_up_no_other_client(start: Start) -> None:
    """The poller looks at all clients between two checks of one connection."""
    running = start()
    running.worker.wsgi = application = _Rounds()
    answer_round = application.answer_round
    with ExitStack() as clients:
        many, other = _clients(running, clients, 2)

        def ask_meanwhile(environs: list[dict[str, Any]]) -> list[Any]:
            if not application.rounds:
                other.sendall(_get("b"))
            return answer_round(environs)

        application.answer_round = ask_meanwhile  # type: ignore[method-assign]
        with _held(running):
            many.sendall(_get("a") * 100)
        assert _answers(other, 1) == [b"200round"]
        assert _answers(many, 100) == [b"200round"] * 100
    asked_in = [number for number, names in enumerate(application.rounds) if "b" in names]
    assert len(asked_in) == 1
    assert asked_in[0] <= 4


def test_a_client_that_goes_while_its_check_waits_is_forgotten(start: Start) -> None:
    running = start()
    running.worker.wsgi = application = _Rounds()
    with ExitStack() as clients:
        going, staying = _clients(running, clients, 2)
        with _held(running):
            going.sendall(_get("a") * 100)
            going.close()
            staying.sendall(_get("b"))
        assert _answers(staying, 1) == [b"200round"]
        wait_until(lambda: running.worker.nr_conns == 1)
    assert sorted(application.rounds[0]) == ["a", "b"]


def test_a_check_that_comes_as_the_time_of_its_connection_ends_is_answered(start: Start) -> None:
    running = start()
    running.worker.wsgi = _Rounds()

    def end_the_wait() -> None:
        """As if its check had arrived after the poller looked."""
        [conn] = running.worker._lines.kept
        select.select([conn.sock], [], [], 10)
        running.worker._end_wait(conn)

    with running.client() as client:
        client.sendall(_get("a"))
        assert _answers(client, 1) == [b"200round"]
        wait_until(lambda: len(running.worker._lines.kept) == 1)
        with _held(running):
            running.worker.method_queue.defer(end_the_wait)
            client.sendall(_get("a"))
        assert _answers(client, 1) == [b"200round"]
