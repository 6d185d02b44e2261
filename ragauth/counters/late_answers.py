"""Answers of Redis that the polling thread has no time to wait for.

The polling thread waits for a short time. Then a thread of the pool runs the whole request again.
The script of its check may have run by then, so it is not sent again: that would count twice. The
thread of the pool waits for the answer to the first one, on the connection that it was sent on.
"""

import os
import time
from typing import Any

from redis.exceptions import ResponseError, TimeoutError

from ragauth.counters.interface import Charge

# Longer than a client waits for its check. An older answer says nothing about the present.
_KEPT_SECONDS = 10.0


class LateAnswer:
    """A connection on which the answer to one script is still to come.

    It must be awaited or dropped. Until then the connection is not free for another script.
    """

    def __init__(self, pool: Any, connection: Any) -> None:
        self._pool = pool
        self._connection = connection
        self._process = os.getpid()
        self._kept_until = time.monotonic() + _KEPT_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether the answer is too old, or was sent for by the process that this is a fork of."""
        return time.monotonic() > self._kept_until or os.getpid() != self._process

    def wait(self, seconds: float) -> Any:
        """Return the answer, if it comes within so many seconds; raises RedisError."""
        try:
            if not self._connection.can_read(timeout=seconds):
                raise TimeoutError("Timeout reading a late answer")
            return self._connection.read_response()
        except ResponseError:
            raise
        except BaseException:
            self._connection.disconnect()
            raise
        finally:
            self._pool.release(self._connection)

    def drop(self) -> None:
        """Close the connection, so that no other script gets this answer."""
        self._connection.disconnect()
        self._pool.release(self._connection)


class AnswerIsLate(TimeoutError):
    """A script was sent and may run, but its answer did not come in time."""

    def __init__(self, cause: str, answer: LateAnswer) -> None:
        super().__init__(cause)
        self.answer = answer


class LateAnswers:
    """The late answers to charges, until a thread that may wait asks for the same charge.

    Two checks with the same key that count the same may get each other's answers, and reservations:
    each script was sent for one of them. The moment, and the sizes of limits, may have changed
    since the script was sent.

    Safe for threads. No lock is needed: each step on the list is atomic.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[object, LateAnswer]] = []

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, charge: Charge, answer: LateAnswer) -> None:
        self._kept.append((_subject_of(charge), answer))

    def take(self, charge: Charge) -> LateAnswer | None:
        """Return a late answer to such a charge, which no other thread gets then.

        Answers that nobody asked for in time are dropped.
        """
        subject = _subject_of(charge)
        for kept in tuple(self._kept):
            of, answer = kept
            if answer.is_over:
                self._drop(kept)
            elif of == subject and self._remove(kept):
                return answer
        return None

    def drop(self) -> None:
        """Drop them all."""
        for kept in tuple(self._kept):
            self._drop(kept)

    def _drop(self, kept: tuple[object, LateAnswer]) -> None:
        if self._remove(kept):
            kept[1].drop()

    def _remove(self, kept: tuple[object, LateAnswer]) -> bool:
        """Whether this thread has removed it, and not another one."""
        try:
            self._kept.remove(kept)
        except ValueError:
            return False
        return True


def _subject_of(charge: Charge) -> object:
    tallies = tuple((tally.owner, tally.name, tally.amount) for tally in charge.tallies)
    reserved = charge.reserve and charge.reserve.uses
    what = (charge.account, charge.key, charge.environment)
    return *what, charge.cost, tallies, charge.uses, reserved
