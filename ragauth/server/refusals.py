"""When logins are refused that find no place to hash: after the checks, and not all the time."""

import time
from collections import deque
from collections.abc import Callable

from ragauth.server.connection import Connection

# A flood comes back as fast as it is answered. With no bound, its refusals would take all of the
# thread's time: a check would wait for one from each flooder, and then for a core.
_PAUSE_FOR_WORK = 3


class Refusals:
    """Connections with a login to refuse, each as long as it takes to refuse those before it.

    One is refused after a round of the poller's events, and then none for three times as long as
    that took: a quarter of the thread's time at most goes to refusals.
    """

    def __init__(self) -> None:
        self._line: deque[Connection] = deque()
        self._present: Connection | None = None
        self._next_at = 0.0

    def puts_off(self, conn: Connection) -> bool:
        """Whether this login has to wait; then nothing else may be done with its connection."""
        if conn is self._present:
            self._present = None
            return False
        self._line.append(conn)
        return True

    def first_to_go(self) -> Connection | None:
        """The one to close, where another client needs its place: it would be refused next."""
        return self._line.popleft() if self._line else None

    def longest_wait(self, timeout: float | None) -> float | None:
        """How long the poller may wait, in seconds, where it would wait for `timeout`."""
        if not self._line:
            return timeout
        return max(0.0, min(self._next_at - time.monotonic(), 1.0 if timeout is None else timeout))

    def take(self, refuse: Callable[[Connection], None]) -> None:
        """Refuse the next one, if it is time."""
        began_at = time.monotonic()
        if not self._line or began_at < self._next_at:
            return
        self._present = self._line.popleft()
        refuse(self._present)
        self._present = None
        ended_at = time.monotonic()
        self._next_at = ended_at + _PAUSE_FOR_WORK * (ended_at - began_at)
