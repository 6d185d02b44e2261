"""What a worker's connections wait for: each is in one line, and its wait has an end."""

import time
from collections import OrderedDict

from ragauth.server.connection import Connection

# How long a client has in total: to send the head of a request, to send its body, to read its
# answer.
_HEAD_SECONDS = 10.0
_BODY_SECONDS = 30.0
_ANSWER_SECONDS = 60.0
_LINGER_SECONDS = 2.0
# For all clients of this process: bytes of incomplete requests and of unread answers.
_MOST_HELD_BYTES = 64 * 1024 * 1024


class Line(OrderedDict[Connection, float]):
    """Connections that wait for the same thing, each with the monotonic time when its wait ends."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def join(self, connection: Connection) -> None:
        """Put a connection at the end of this line; it leaves the line that it was in."""
        if connection.line is self:
            self.move_to_end(connection)
        else:
            self.leave(connection)
            connection.line = self
        self[connection] = time.monotonic() + self._seconds

    @staticmethod
    def leave(connection: Connection) -> None:
        if connection.line is not None:
            del connection.line[connection]
            connection.line = None

    def first(self, ended_by: float | None = None) -> Connection | None:
        """The connection that has waited longest; with `ended_by`, only if its wait has ended."""
        for connection, end in self.items():
            return connection if ended_by is None or end <= ended_by else None
        return None

    def hurry(self, seconds: float) -> None:
        """Shorten all waits, present and future, to so many seconds."""
        self._seconds = min(self._seconds, seconds)
        deadline = time.monotonic() + seconds
        for connection, end in list(self.items()):
            self[connection] = min(end, deadline)


class Lines:
    """The lines of one worker, and how many bytes it keeps for the connections in them."""

    def __init__(self, keepalive_seconds: float) -> None:
        self.heads = Line(_HEAD_SECONDS)
        self.bodies = Line(_BODY_SECONDS)
        self.kept = Line(keepalive_seconds)
        self.unsent = Line(_ANSWER_SECONDS)
        self.lingering = Line(_LINGER_SECONDS)
        # The order of closing if there is no room: answered clients first, then those that sent
        # least.
        self._all = (self.lingering, self.heads, self.kept, self.bodies, self.unsent)
        self._held_bytes = 0

    def first_to_go(self) -> Connection | None:
        """The connection to close first if there is no room."""
        return next((one for line in self._all if (one := line.first()) is not None), None)

    def first_ended_by(self, now: float) -> Connection | None:
        """A connection whose wait has ended."""
        ended = (line.first(ended_by=now) for line in self._all)
        return next((one for one in ended if one is not None), None)

    def hold(self, connection: Connection, count: int) -> None:
        """Note how many bytes are kept for a client."""
        self._held_bytes += count - connection.held_bytes
        connection.held_bytes = count

    def first_of_those_that_hold_too_much(self) -> Connection | None:
        """The longest-waiting connection with kept bytes, if too many bytes are kept in total."""
        if self._held_bytes <= _MOST_HELD_BYTES:
            return None
        waiting = (line.first() for line in (self.unsent, self.bodies, self.heads))
        return next((one for one in waiting if one is not None), None)

    def hurry(self, seconds: float) -> None:
        """Shorten every wait when the worker stops; lingering connections have less time anyway."""
        for line in (self.heads, self.kept, self.bodies, self.unsent):
            line.hurry(seconds)
