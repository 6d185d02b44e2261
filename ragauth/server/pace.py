"""The pace of key checks: whether the polling thread may answer them itself."""

import math


class Pace:
    """Whether checks have waited little lately; all times are in seconds.

    Handing checks to the pool pays if each check waits for the network longer than the hand-over
    takes. It is needed if a check may wait for seconds: a lost database must not hold up every
    request of the worker. The shortest of several waits tells how far away the database is; the
    other waits tell how busy this machine is.
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
        """Take one answer into account; the pause doubles as long as answers stay slow."""
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
        """Leave checks to the pool for a while, after a check that took too long."""
        self._paused_until = now + self._pause
        self._pause = min(2 * self._pause, self._LONGEST_PAUSE)
