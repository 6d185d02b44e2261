"""Answers of Redis that the polling thread has no time to wait for.

The polling thread waits for a short time. Then a thread of the pool runs the whole request again.
The script of its check may have run by then, so it is not sent again: that would count twice. The
thread of the pool waits for the answer to the first one, on the connection that it was sent on.
The scripts of several checks may have been sent on one connection: each has an answer of its own.
"""

import os
import threading
import time
from typing import Any, NamedTuple

from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from ragauth.counters.interface import Charge

# Longer than a client waits for its check. An older answer says nothing about the present.
_KEPT_SECONDS = 10.0


class LateReplies:
    """A connection on which the replies to several scripts are still to come, in order.

    All of them must be awaited or dropped. Until then the connection is not free for other scripts.
    Safe for threads.
    """

    def __init__(self, pool: Any, connection: Any, count: int) -> None:
        self._pool = pool
        self._connection = connection
        self._process = os.getpid()
        self._kept_until = time.monotonic() + _KEPT_SECONDS
        self._count = count
        self._replies: list[Any] = []
        self._is_over = False
        self._reading = threading.Lock()
        self._ending = threading.Lock()

    def answers(self) -> "list[LateAnswer]":
        return [LateAnswer(self, place) for place in range(self._count)]

    @property
    def is_old(self) -> bool:
        """Whether they are too old, or were sent for by the process that this is a fork of."""
        return time.monotonic() > self._kept_until or os.getpid() != self._process

    def wait(self, place: int, seconds: float) -> Any:
        """Return the reply at a place, if it comes within so many seconds; raises RedisError.

        Whoever waits reads those before it, too, and keeps them for the others.
        """
        ends_at = time.monotonic() + seconds
        if not self._reading.acquire(timeout=seconds):
            raise TimeoutError("Timeout reading a late answer")
        try:
            while len(self._replies) <= place:
                self._replies.append(self._read(ends_at - time.monotonic()))
        finally:
            self._reading.release()
        reply = self._replies[place]
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    def drop(self, place: int) -> None:
        """Close the connection if this reply was not read, so that no other script gets it."""
        if len(self._replies) <= place:
            self._end(closes=True)

    def _read(self, seconds: float) -> Any:
        try:
            if self._is_over:
                raise ConnectionError("the connection of a late answer was closed")
            if not self._connection.can_read(timeout=max(0.0, seconds)):
                raise TimeoutError("Timeout reading a late answer")
            reply = self._connection.read_response()
        except ResponseError as error:
            reply = error
        except BaseException:
            self._end(closes=True)
            raise
        if len(self._replies) + 1 == self._count:
            self._end(closes=False)
        return reply

    def _end(self, *, closes: bool) -> None:
        """Give the connection back to its pool, once."""
        with self._ending:
            if self._is_over:
                return
            self._is_over = True
        if closes:
            self._connection.disconnect()
        self._pool.release(self._connection)


class LateAnswer(NamedTuple):
    """The one of them to one script; it must be awaited or dropped."""

    replies: LateReplies
    place: int

    @property
    def is_over(self) -> bool:
        return self.replies.is_old

    def wait(self, seconds: float) -> Any:
        """Return the answer, if it comes within so many seconds; raises RedisError."""
        return self.replies.wait(self.place, seconds)

    def drop(self) -> None:
        self.replies.drop(self.place)


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
