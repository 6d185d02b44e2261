"""Until when the present thread may wait for the database, and what happens then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

#: All reads of one check, in the thread that polls the sockets and in one of the pool. A client
#: has its answer within three seconds; the rest of them is for the way there and back.
POLLER_SECONDS = 0.04
CHECK_SECONDS = 2.5


class Deadline(NamedTuple):
    """`at` is on the monotonic clock. `hands_over`: another thread goes on with the work then."""

    at: float
    hands_over: bool


class WouldWait(BaseException):
    """A check needs more time than the polling thread has: a thread of the pool must answer it.

    It is no failure, so nothing on the way may take it for one and answer it: as GeneratorExit, it
    is no Exception. Nothing has been counted when it is raised. `has_waited` is false where there
    was no connection, and so nothing to wait for.
    """

    def __init__(self, *, has_waited: bool) -> None:
        super().__init__()
        self.has_waited = has_waited


#: None: no more than what holds for each statement.
current_deadline: ContextVar[Deadline | None] = ContextVar("current_deadline", default=None)
#: When the request of this thread came to wait for a thread, on the monotonic clock.
arrived_at: ContextVar[float | None] = ContextVar("arrived_at", default=None)


def check_deadline(*, hands_over: bool) -> Deadline:
    """For a check that begins now, in a thread of the pool for one that came at `arrived_at`."""
    if hands_over:
        return Deadline(time.monotonic() + POLLER_SECONDS, hands_over)
    arrived = arrived_at.get()
    return Deadline((time.monotonic() if arrived is None else arrived) + CHECK_SECONDS, hands_over)


@contextmanager
def handing_over() -> Iterator[None]:
    """In the polling thread: a read of the block that would wait raises WouldWait."""
    token = current_deadline.set(check_deadline(hands_over=True))
    try:
        yield
    finally:
        current_deadline.reset(token)


def counted_from(arrived: float, work: Callable[[Any], Any], subject: Any) -> Any:
    """Do it in this thread; the time of a check in it began at `arrived`."""
    token = arrived_at.set(arrived)
    try:
        return work(subject)
    finally:
        arrived_at.reset(token)


class at_most:  # noqa: N801 - as contextlib's, which are classes for their speed too
    """Let all statements of the block together wait so many seconds; never longer than before."""

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        outer = current_deadline.get()
        at = time.monotonic() + self._seconds
        if outer is None:
            inner = Deadline(at, False)
        else:
            inner = Deadline(at, outer.hands_over) if at < outer.at else outer
        self._token = current_deadline.set(inner)

    def __exit__(self, *_error: object) -> None:
        current_deadline.reset(self._token)
