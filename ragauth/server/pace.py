"""The pace of key checks: whether the thread that polls may answer them itself."""

import math


class Pace:
    """Whether checks have waited little of late; all times are in seconds.

    A thread of the pool is worth its price where each check waits for the network longer than the
    hand-over takes, and where one may wait for seconds: a lost database must not hold up every
    request of the worker. The shortest wait of several tells how far the database is; the others
    tell how busy this machine is.
    """

    _SEVERAL = 32
    _FAR_SECONDS = 0.0005
    _STUCK_SECONDS = 1.0
    _SHORTEST_PAUSE = 1.0
    _LONGEST_PAUSE = 60.0

    def __init__(self) -> None:
        self._count = 0
        self._shortest_wait = math.inf
        self._pause = self._SHORTEST_PAUSE
        self._paused_until = 0.0

    def is_quick(self, now: float) -> bool:
        return now >= self._paused_until

    def note(self, waited_seconds: float, now: float) -> None:
        """Take one answer into account; the pause doubles for as long as they stay slow."""
        self._count += 1
        self._shortest_wait = min(self._shortest_wait, waited_seconds)
        is_slow = waited_seconds > self._STUCK_SECONDS
        if self._count == self._SEVERAL:
            is_slow = is_slow or self._shortest_wait > self._FAR_SECONDS
            if not is_slow:
                self._pause = self._SHORTEST_PAUSE
            self._count, self._shortest_wait = 0, math.inf
        if is_slow:
            self.stop(now)

    def stop(self, now: float) -> None:
        """Leave checks to the pool for a while: one could not wait for its end."""
        self._paused_until = now + self._pause
        self._pause = min(2 * self._pause, self._LONGEST_PAUSE)
