"""Bounds the time spent on refusing logins without a place to hash, so that checks come first."""

import time
from collections import deque
from collections.abc import Callable

from ragauth.server.connection import Connection

# A flood sends the next request as soon as it is answered. Without pauses, refusals and those who
# send them would take all cores, and a check would wait for one refusal to each flooder.
_PAUSE_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 0.5
_PAUSE_FOR_WORK = 3


class Refusals:
    """A queue of connections with a login to refuse.

    After a round of the poller's events one login is refused, and the next one ten milliseconds
    later, or when it has waited for half a second. But never sooner than after three times as long
    as the refusal took, so that refusals take a quarter of the thread's time at most.
    """

    def __init__(self) -> None:
        # Each with the time at which it came.
        self._line: deque[tuple[Connection, float]] = deque()
        self._present: Connection | None = None
        self._earliest_at = self._usual_at = 0.0

    def puts_off(self, conn: Connection) -> bool:
        """Queue a login, unless it is the one that `take` refuses now; True if it was queued.

        While it waits, nothing else may be done with its connection.
        """
        if conn is self._present:
            self._present = None
            return False
        self._line.append((conn, time.monotonic()))
        return True

    def first_to_go(self) -> Connection | None:
        """The one to close, where another client needs its place: it would be refused next."""
        return self._line.popleft()[0] if self._line else None

    def longest_wait(self, timeout: float | None) -> float | None:
        """How many seconds the poller may wait instead of `timeout`, while logins are queued."""
        if not self._line:
            return timeout
        next_in = self._next_at() - time.monotonic()
        return max(0.0, min(next_in, 1.0 if timeout is None else timeout))

    def take(self, refuse: Callable[[Connection], None]) -> None:
        """Refuse the next login if it is time."""
        began_at = time.monotonic()
        if not self._line or began_at < self._next_at():
            return
        self._present, _ = self._line.popleft()
        refuse(self._present)
        self._present = None
        ended_at = time.monotonic()
        self._usual_at = ended_at + _PAUSE_SECONDS
        self._earliest_at = ended_at + _PAUSE_FOR_WORK * (ended_at - began_at)

    def _next_at(self) -> float:
        """When the first of the line is to be refused."""
        _, came_at = self._line[0]
        return max(self._earliest_at, min(self._usual_at, came_at + _LONGEST_WAIT_SECONDS))
