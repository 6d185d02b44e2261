"""Clients that ask without an end during a restart, on kept connections and new ones."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.waiting import slowness

_SECONDS = 60


@dataclass(frozen=True)
class Question:
    """A request on a connection that is kept, and the statuses that are an answer to it."""

    path: str
    method: str = "GET"
    headers: str = ""
    body: bytes = b""
    right: frozenset[int] = frozenset({200})

    def encode(self, *, is_kept: bool) -> bytes:
        more = "" if is_kept else "Connection: close\r\n"
        if self.body:
            more += f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: ragauth.test\r\n{self.headers}{more}"
        return f"{head}\r\n".encode() + self.body


def json_question(path: str, body: object, *, right: Sequence[int], headers: str = "") -> Question:
    return Question(path, "POST", headers, json.dumps(body).encode(), frozenset(right))


@dataclass
class Load:
    """What was answered so far, and what was not, or not rightly."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    closes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, question: Question, status: int, *, is_closed: bool) -> None:
        with self._lock:
            self.answers[f"{question.path} {status}"] += 1
            self.closes += is_closed
            if status not in question.right:
                self.failures.append(f"{question.path}: {status}")

    def fail(self, question: Question, error: OSError) -> None:
        with self._lock:
            self.failures.append(f"{question.path}: {error!r}")

    @property
    def count(self) -> int:
        with self._lock:
            return self.answers.total() + len(self.failures)


@contextmanager
def load(
    address: tuple[str, int],
    questions: Sequence[Question],
    *,
    kept: int = 4,
    new: int = 2,
    pause_seconds: float = 0.0,
) -> Iterator[Load]:
    """Run the clients; each asks each question in turn. None asks again what went wrong.

    Each rests for the pause between two questions.
    """
    done, stop = Load(), threading.Event()

    def ask(first: int, *, is_kept: bool) -> None:
        client: socket.socket | None = None
        turn = first
        while not stop.wait(pause_seconds):
            question = questions[turn % len(questions)]
            turn += 1
            try:
                if client is None:
                    client = socket.create_connection(address, timeout=30)
                client.sendall(question.encode(is_kept=is_kept))
                status, is_closed = _read_answer(client)
            except OSError as error:
                done.fail(question, error)
                is_closed = True
            else:
                done.note(question, status, is_closed=is_kept and is_closed)
            if is_closed and client is not None:
                client.close()
                client = None
        if client is not None:
            client.close()

    threads = [
        threading.Thread(target=ask, args=(number * 7,), kwargs={"is_kept": number < kept})
        for number in range(kept + new)
    ]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join(_SECONDS)


def _read_answer(client: socket.socket) -> tuple[int, bool]:
    """The status of one answer, all of which is read, and whether it is the connection's last."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(client)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    (length,) = (int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _receive(client)
    return int(head.split(b" ")[1]), b"connection: close" in lines


def _receive(client: socket.socket) -> bytes:
    received = client.recv(65536)
    if not received:
        raise ConnectionResetError("closed without an answer")
    return received


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS * slowness()
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
