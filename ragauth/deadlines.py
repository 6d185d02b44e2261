"""How long the present thread may wait for the database, and what happens then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

#: For all reads of one check: in the polling thread, and in a thread of the pool. A client must
#: have its answer within three seconds; the difference is for the transfer.
POLLER_SECONDS = 0.04
CHECK_SECONDS = 2.5


class Deadline(NamedTuple):
    """`at` is on the monotonic clock. With `hands_over` another thread takes over the work then."""

    at: float
    hands_over: bool


class WouldWait(BaseException):
    """A check needs more time than the polling thread has: a thread of the pool must answer it.

    It is not an error, so no handler of errors may catch it: like GeneratorExit, it is no
    Exception. When it is raised, nothing has been counted, or the counters keep the answer to what
    counts until that thread asks (`counters.late_answers`). `has_waited` is False if there was no
    connection, and so nothing to wait for.
    """

    def __init__(self, *, has_waited: bool) -> None:
        super().__init__()
        self.has_waited = has_waited


#: None means that only the time-out of each statement holds.
current_deadline: ContextVar[Deadline | None] = ContextVar("current_deadline", default=None)
#: When the request began to wait for this thread, on the monotonic clock.
arrived_at: ContextVar[float | None] = ContextVar("arrived_at", default=None)


def check_deadline(*, hands_over: bool) -> Deadline:
    """The deadline of a check: counted from now or, in a thread of the pool, from `arrived_at`."""
    if hands_over:
        return Deadline(time.monotonic() + POLLER_SECONDS, hands_over)
    arrived = arrived_at.get()
    return Deadline((time.monotonic() if arrived is None else arrived) + CHECK_SECONDS, hands_over)


def may_wait() -> bool:
    """Whether the present thread may wait, and change something; False in the polling thread."""
    deadline = current_deadline.get()
    return deadline is None or not deadline.hands_over


def require_thread() -> None:
    """Raise WouldWait in the polling thread: what follows is for a thread of the pool."""
    if not may_wait():
        raise WouldWait(has_waited=False)


@contextmanager
def handing_over() -> Iterator[None]:
    """Let a read of the block raise WouldWait if it would wait; for the polling thread."""
    token = current_deadline.set(check_deadline(hands_over=True))
    try:
        yield
    finally:
        current_deadline.reset(token)


def counted_from(arrived: float, work: Callable[[Any], Any], subject: Any) -> Any:
    """Run `work` in this thread; the time of a check in it is counted from `arrived`."""
    token = arrived_at.set(arrived)
    try:
        return work(subject)
    finally:
        arrived_at.reset(token)


class at_most:  # noqa: N801 - as contextlib's, which are classes for their speed too
    """Bound the wait of all statements of the block together; an earlier deadline still holds."""

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
