"""What a client takes slowly reaches it whole and in order."""

import socket
from typing import Any

from gunicorn.config import Config

from ragauth.server.answers import CONTINUE
from ragauth.server.connection import Connection


class _Narrow(socket.socket):
    """A socket with room for a few bytes at a time."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.taken = b""

    def send(self, data: Any, *_flags: Any) -> int:
        part = bytes(data)[: self.room]
        if not part:
            raise BlockingIOError
        self.room -= len(part)
        self.taken += part
        return len(part)


def _take_all(room: int) -> bytes:
    with _Narrow(room) as narrow:
        connection = Connection(Config(), narrow, ("192.0.2.7", 4711), ("127.0.0.1", 80))
        connection.send(CONTINUE)
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while connection.unsent:
            narrow.room = 3
            connection.send_on()
        return narrow.taken


def test_an_answer_never_replaces_the_rest_of_an_invitation() -> None:
    """The client would take the first half of one line and the second half of another for one."""
    for room in (0, 7, len(CONTINUE), len(CONTINUE) + 5, 1000):
        assert _take_all(room) == CONTINUE + b"HTTP/1.1 200 OK\r\n\r\n"
