"""The pace of key checks: whether the polling thread may answer them itself."""

import math

from ragauth.deadlines import CHECK_SECONDS


class Pace:
    """Whether checks have waited little lately; all times are in seconds.

    Handing checks to the pool pays if each check waits for the network longer than the hand-over
    takes. It is needed if a check may wait for seconds: a lost database must not hold up every
    request of the worker. If hardly one of many checks waits for a short time, the database is far
    away. On a busy machine most of them wait for a core, but some do not.
    """

    # How long the answers have waited, all together, that are judged at once.
    _JUDGED_SECONDS = 1.0
    _FAR_SECONDS = 0.0005
    # The database is near if at least one of so many answers waited less than that.
    _ONE_OF = 32
    _STUCK_SECONDS = 1.0
    _SHORTEST_PAUSE = 1.0
    _LONGEST_PAUSE = 60.0
    _SHORTEST_LATE_PAUSE = 0.05
    _LONGEST_LATE_PAUSE = 5.0

    def __init__(self) -> None:
        self._answers = self._near_answers = 0
        self._waited_seconds = 0.0
        self._pause = self._SHORTEST_PAUSE
        self._paused_until = 0.0
        self._late_pause = self._SHORTEST_LATE_PAUSE
        self._late: object = None
        self._late_at = self._late_until = -math.inf

    def is_quick(self, now: float) -> bool:
        return now >= self._paused_until and now >= self._late_until

    def note(self, waited_seconds: float, now: float, answers: int = 1) -> None:
        """Take answers into account that have waited together.

        The pause doubles as long as answers stay slow.
        """
        self._answers += answers
        if waited_seconds <= self._FAR_SECONDS * answers:
            self._near_answers += answers
        self._waited_seconds += waited_seconds
        if self._waited_seconds < self._JUDGED_SECONDS:
            return
        is_far = self._near_answers * self._ONE_OF < self._answers
        if is_far or waited_seconds > self._STUCK_SECONDS:
            self._paused_until = now + self._pause
            self._pause = min(2 * self._pause, self._LONGEST_PAUSE)
        else:
            self._pause = self._SHORTEST_PAUSE
        self._answers = self._near_answers = 0
        self._waited_seconds = 0.0

    def hand_over(self, late: object, now: float) -> None:
        """Leave checks to the pool until it has answered `late`, which took too long here.

        Each try costs the other clients of the worker a wait. So the pause has a shortest length,
        which doubles if there was no calm since the last pause for as long as that was.
        """
        is_calm = now - self._late_until > self._late_pause
        doubled = min(2 * self._late_pause, self._LONGEST_LATE_PAUSE)
        self._late_pause = self._SHORTEST_LATE_PAUSE if is_calm else doubled
        self._late, self._late_at = late, now
        # By then the pool has its answer, or has given up.
        self._late_until = now + max(self._late_pause, CHECK_SECONDS)

    def note_end(self, request: object, now: float) -> None:
        """Take into account that the pool has answered a request: whatever was slow answers again.

        This is so only for the request that was late.
        """
        if request is self._late:
            self._late = None
            self._late_until = max(now, self._late_at + self._late_pause)
