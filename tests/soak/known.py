"""What was acknowledged: keys and accounts, with the times that decide what must hold."""

import random
import threading
import time
from array import array
from dataclasses import dataclass, field

from tests.soak.asking import Answer
from tests.soak.oracle import Excuse, Oracle

_MOST_DEAD_KEYS = 400
# The contract's words for a key that is not good any more, or never was.
_DEAD = {401}
# Usage reaches the database each second.
_UNSAVED_SECONDS = 2


class Uses:
    """When checks of one account were let through, and how many may have been."""

    def __init__(self) -> None:
        self.admitted = array("d")
        self.unknown = 0
        self._lock = threading.Lock()

    def hear(self, answer: Answer, status: int | None) -> None:
        with self._lock:
            if status == 200:
                self.admitted.append(answer.began)
            elif answer.is_unknown or (status or 0) >= 500:
                self.unknown += 1

    def bounds(self, oracle: Oracle) -> tuple[int, int]:
        """The least and the most that may have been counted."""
        losing = oracle.windows_with(Excuse.COUNTS_LOST)
        doubling = oracle.windows_with(Excuse.COUNTS_TWICE)
        lost = twice = 0
        for began in self.admitted:
            # What was counted shortly before may not have reached the database.
            lost += any(window.covers(began, began + _UNSAVED_SECONDS) for window in losing)
            twice += any(window.covers(began, began) for window in doubling)
        admitted = len(self.admitted)
        return admitted - lost, admitted + self.unknown + twice


@dataclass(eq=False)
class Key:
    """A key whose making was acknowledged.

    `end_sent` is when the first request to end it left, `dead` when one was acknowledged, and
    `seen_dead` when the answer came in which it was refused first; None where that was never.
    """

    raw: str
    id: str
    uses: Uses
    is_limited: bool = False
    end_sent: float | None = None
    dead: float | None = None
    seen_dead: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def will_end(self) -> None:
        """A request to end it is about to leave."""
        with self.lock:
            self.end_sent = self.end_sent or time.monotonic()

    def has_ended(self) -> None:
        """That request was acknowledged: the key is dead on every host from now on."""
        with self.lock:
            self.dead = self.dead or time.monotonic()

    def judge(self, oracle: Oracle, answer: Answer, status: int | None) -> None:
        """Hold a check's verdict, as the status that a gateway would relay, against the facts."""
        self.uses.hear(answer, status)
        with self.lock:
            if status == 200:
                self._judge_accepted(oracle, answer)
            elif status in _DEAD:
                self._judge_refused(oracle, answer)
            elif status == 429 and not self.is_limited:
                oracle.broke(
                    "a limit that is far away refuses nothing",
                    str(answer),
                    answer.began,
                    answer.ended,
                )
            elif status == 403:
                oracle.broke("a live key may do all", str(answer), answer.began, answer.ended)

    def _judge_accepted(self, oracle: Oracle, answer: Answer) -> None:
        for name, at in (("its end was acknowledged", self.dead), ("refused", self.seen_dead)):
            if at is not None and at < answer.began:
                oracle.broke(
                    "a dead key is never accepted",
                    f"{answer}: {self.id}, {name} {answer.began - at:.3f} s before",
                    answer.began,
                    answer.ended,
                )
                return

    def _judge_refused(self, oracle: Oracle, answer: Answer) -> None:
        if self.end_sent is None or self.end_sent > answer.ended:
            oracle.broke(
                "a live key is never refused as unknown or revoked",
                f"{answer}: {self.id}",
                answer.began,
                answer.ended,
            )
        elif self.seen_dead is None or answer.ended < self.seen_dead:
            self.seen_dead = answer.ended


class Keys:
    """The keys of one round; all live ones and a bounded number of dead ones."""

    def __init__(self) -> None:
        self._live: list[Key] = []
        self._ended: list[Key] = []
        self._lock = threading.Lock()

    def add(self, key: Key) -> None:
        with self._lock:
            self._live.append(key)

    def end(self, key: Key) -> None:
        """Take one to those whose end was asked for."""
        with self._lock:
            if key in self._live:
                self._live.remove(key)
                self._ended.append(key)
                if len(self._ended) > _MOST_DEAD_KEYS:
                    self._ended.pop(0)

    def pick(self, rng: random.Random) -> Key | None:
        """One at random: three of four times a live one."""
        with self._lock:
            pool = self._live if not self._ended or rng.random() < 0.75 else self._ended
            # What ended last is the most telling.
            if pool is self._ended and rng.random() < 0.5:
                pool = pool[-10:]
            return rng.choice(pool) if pool else None

    def all(self) -> list[Key]:
        with self._lock:
            return [*self._live, *self._ended]


@dataclass(eq=False)
class Account:
    """An account whose signup was acknowledged.

    `passwords` are those that may be its own: two after a change whose outcome is unknown. `keys`
    are those that may live.
    """

    email: str
    passwords: list[str]
    id: str
    token: str
    refresh_token: str
    uses: Uses = field(default_factory=Uses)
    primary: Key | None = None
    keys: list[Key] = field(default_factory=list)
    # False where the session may have ended, or its refresh token may be spent.
    is_session_sure: bool = True
    # A change whose answer did not come may still be committed until then, in monotonic seconds.
    unsure_until: float = 0.0
    # A key that nobody was told of may have been made, or the primary one replaced.
    has_unknown_keys: bool = False
    is_limited: bool = False
