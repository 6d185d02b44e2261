"""Until when the present thread may wait for the database, and what happens then."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

#: All reads of one check, in the thread that polls the sockets and in one of the pool. A client
#: has its answer within three seconds; the rest of them is for the way there and back.
POLLER_SECONDS = 0.05
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


def check_deadline(*, hands_over: bool) -> Deadline:
    """For a check that begins now."""
    seconds = POLLER_SECONDS if hands_over else CHECK_SECONDS
    return Deadline(time.monotonic() + seconds, hands_over)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Let all statements of the block together wait no longer; never longer than before."""
    outer = current_deadline.get()
    at = time.monotonic() + seconds
    inner = Deadline(at, False) if outer is None else outer._replace(at=min(at, outer.at))
    token = current_deadline.set(inner)
    try:
        yield
    finally:
        current_deadline.reset(token)
