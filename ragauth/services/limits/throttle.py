"""How a throttle counts: exactly, for all workers at once.

An attempt is counted before it begins, and the count is given back if it does not fail: however
many begin at once, no more than a throttle's size run. While no counter answers, nothing is
throttled, but the places for hashing are still bounded.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from ragauth import clock
from ragauth.counters import CountersUnavailable
from ragauth.errors import AuthenticationFailed, ExternalServiceUnavailable, RateLimitExceeded
from ragauth.metrics import LIMIT_HITS
from ragauth.services.limits.limits import current_limits

log = logging.getLogger("ragauth")


class Turn(NamedTuple):
    """Whether one more was counted, and when the window ends (Unix ms)."""

    is_taken: bool
    until_ms: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """Allows `size` attempts in a window that starts with the first one; size 0 allows all.

    `limit` names it to the caller; `subject` is the address, name or account that it counts for. A
    throttle that `fails_closed` refuses everything while no counter answers: without it the guarded
    secret could be guessed in minutes.
    """

    limit: str
    size: int
    window_seconds: int
    subject: str
    message: str = "Too many requests; try again later"
    fails_closed: bool = False

    def take(self) -> int:
        """Count one more; returns when the window ends (Unix ms): it can be given back until then.

        Raises RateLimitExceeded, and counts nothing, if the window is full;
        ExternalServiceUnavailable if no counter answers and the throttle fails closed.
        """
        turn = self.try_take()
        if turn.is_taken:
            return turn.until_ms
        self.count_refusal()
        raise RateLimitExceeded(
            -(-(turn.until_ms - _now_ms()) // 1000),
            self.message,
            details={
                "limit": self.limit,
                "size": self.size,
                "window_seconds": self.window_seconds,
                "resets_at": clock.format_time(clock.from_ms(turn.until_ms + 999)),
            },
        )

    def try_take(self) -> Turn:
        """Count one more if there is room; raises ExternalServiceUnavailable as `take` does."""
        if not self.size:
            return Turn(is_taken=True, until_ms=0)
        counters, now_ms = current_limits().counters, _now_ms()
        window_ms = self.window_seconds * 1000
        try:
            # A full window is only read, so that a flood of refused requests writes nothing.
            window = counters.read_window(self._bucket, window_ms, now_ms)
            if window.count < self.size:
                window = counters.hit(self._bucket, window_ms, now_ms)
                if window.count <= self.size:
                    return Turn(is_taken=True, until_ms=window.resets_at_ms)
                counters.hit(self._bucket, window_ms, now_ms, -1)
        except CountersUnavailable as error:
            if self.fails_closed:
                log.error("the counters did not answer", extra=_cause(error))
                raise ExternalServiceUnavailable from error
            log.error("the counters did not answer, nothing is throttled", extra=_cause(error))
            return Turn(is_taken=True, until_ms=0)
        return Turn(is_taken=False, until_ms=window.resets_at_ms)

    def count_refusal(self) -> None:
        """Count a refusal in the operator's metrics."""
        LIMIT_HITS.count(self.limit)

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Count the block if it fails with AuthenticationFailed, and only then.

        Raises RateLimitExceeded before the block if the failures and the attempts under way fill
        the window.
        """
        taken_until_ms = self.take()
        has_failed = False
        try:
            yield
        except AuthenticationFailed:
            has_failed = True
            raise
        finally:
            if not has_failed:
                self.give_back(taken_until_ms)

    @contextmanager
    def attempts(self) -> Iterator[None]:
        """Count the block, unless it raises.

        Raises RateLimitExceeded before the block if the window is full.
        """
        taken_until_ms = self.take()
        try:
            yield
        except BaseException:
            self.give_back(taken_until_ms)
            raise

    def give_back(self, taken_until_ms: int) -> None:
        """Undo a `take`, unless its window is over."""
        now_ms = _now_ms()
        if now_ms >= taken_until_ms:
            return
        try:
            current_limits().counters.hit(self._bucket, self.window_seconds * 1000, now_ms, -1)
        except CountersUnavailable as error:
            log.error(
                "the counters did not answer: one attempt too many stays counted",
                extra=_cause(error),
            )

    def clear(self) -> None:
        """Forget all that was counted."""
        if not self.size:
            return
        try:
            current_limits().counters.clear_window(self._bucket)
        except CountersUnavailable as error:
            log.error("the counters did not answer: a throttle was not reset", extra=_cause(error))

    @property
    def _bucket(self) -> bytes:
        # Hashed, so that the counters hold no name and no address.
        return b"throttle:" + hashlib.sha256(f"{self.limit}:{self.subject}".encode()).digest()


def _now_ms() -> int:
    return clock.now_ns() // 1_000_000


def _cause(error: CountersUnavailable) -> dict[str, str]:
    return {"cause": str(error)}
