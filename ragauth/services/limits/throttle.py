"""How a throttle counts: exactly, for all workers at once.

What may fail is counted before it is tried and given back when it did not fail: of any number at
once no more than a throttle's size are ever tried. While no counter answers nothing is throttled;
hashing has bounded places still.
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
    """Whether one more was counted, and until when (Unix ms) the window lasts."""

    is_taken: bool
    until_ms: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `size` in a window that starts with the first of them; a size of 0 is no throttle.

    `limit` names it to the caller; `subject` is the address, name or account that it counts for.
    One that `fails_closed` lets nothing pass while no counter answers: what it guards is guessed
    in minutes.
    """

    limit: str
    size: int
    window_seconds: int
    subject: str
    message: str = "Too many requests; try again later"
    fails_closed: bool = False

    def take(self) -> int:
        """Count one more; returns until when (Unix ms) it can be given back.

        Raises RateLimitExceeded, and counts nothing, when the window is full;
        ExternalServiceUnavailable when it fails closed.
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
        """Count one more if there is room; ExternalServiceUnavailable when it fails closed."""
        if not self.size:
            return Turn(is_taken=True, until_ms=0)
        counters, now_ms = current_limits().counters, _now_ms()
        window_ms = self.window_seconds * 1000
        try:
            # A full window is only read: a flood of refused requests writes nothing.
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

    def has_room(self) -> bool:
        """Count one more and say True, or count nothing and say False."""
        try:
            self.take()
        except RateLimitExceeded:
            return False
        return True

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Count the block if it fails with AuthenticationFailed, and only then.

        Raises RateLimitExceeded before the block when too many have failed, or may be about to.
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

        Raises RateLimitExceeded before the block when there were too many.
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
            log.error("the counters did not answer, one more is counted", extra=_cause(error))

    def clear(self) -> None:
        """Begin anew."""
        if not self.size:
            return
        try:
            current_limits().counters.clear_window(self._bucket)
        except CountersUnavailable as error:
            log.error("the counters did not answer, a throttle stays", extra=_cause(error))

    @property
    def _bucket(self) -> bytes:
        # Hashed, so that the counters hold no name and no address.
        return b"throttle:" + hashlib.sha256(f"{self.limit}:{self.subject}".encode()).digest()


def _now_ms() -> int:
    return clock.now_ns() // 1_000_000


def _cause(error: CountersUnavailable) -> dict[str, str]:
    return {"cause": str(error)}
