"""A psycopg connection that waits for its server until a deadline, and is then closed."""

import time
from collections.abc import Generator
from contextvars import ContextVar
from typing import Any, Protocol

import psycopg
from psycopg.abc import PQGen, PQGenConn
from psycopg.errors import _WaitTimeout

from ragauth.deadlines import Deadline, WouldWait, current_deadline

#: After this time a statement is suspected to wait for a database that does not answer at all.
SUSPECT_SECONDS = 0.5
#: The longest wait in a serving process; statement_timeout is shorter and normally ends it first.
LONGEST_SECONDS = 20.0
_SLICE_SECONDS = 0.1

# How many hosts an attempt to connect has left, the present one included.
_hosts_left: ContextVar[int] = ContextVar("hosts_left", default=1)


class NoAnswer(psycopg.OperationalError):
    """The server did not answer in time. The statement may have been executed, or not."""

    def __init__(self, words: str = "no answer in time", **details: Any) -> None:
        super().__init__(words, **details)


class DatabaseFrozen(NoAnswer):
    """As NoAnswer, for a database that is known to be frozen; it is usually not even asked."""


class Watch(Protocol):
    """What a connection needs to know of its database; see `ragauth.postgres.watch`."""

    is_frozen: bool
    answered_at: float

    def suspect(self) -> None:
        """Let another thread find out whether the database answers."""

    def must_end(self, began: float) -> bool:
        """Whether a wait that began at this time is in vain."""


class Connection(psycopg.Connection[Any]):
    """Ends each of its waits, commits and rollbacks included.

    At a deadline, and while the database is frozen, it closes itself without waiting for the server
    and raises NoAnswer, or WouldWait in the polling thread.
    """

    watch: Watch | None = None
    longest_seconds = LONGEST_SECONDS

    @classmethod
    def connect(cls, conninfo: str = "", **parameters: Any) -> "Connection":
        """As psycopg's `connect`, within the present deadline; the hosts share the time."""
        lists = (str(parameters.get(name) or "") for name in ("host", "hostaddr"))
        token = _hosts_left.set(1 + max(hosts.count(",") for hosts in lists))
        try:
            return super().connect(conninfo, **parameters)
        finally:
            _hosts_left.reset(token)

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn["Connection"]:
        deadline, hosts = current_deadline.get(), _hosts_left.get()
        steps = super()._connect_gen(conninfo)
        if deadline is None:
            return steps
        _hosts_left.set(max(1, hosts - 1))
        now = time.monotonic()
        return _until(now + (deadline.at - now) / hosts, steps)

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        watch, deadline, seconds = self.watch, current_deadline.get(), SUSPECT_SECONDS
        if watch is not None and watch.is_frozen:
            self._give_up(deadline)
        began = time.monotonic()
        if deadline is not None and (left := deadline.at - began) < seconds:
            seconds = left
        try:
            result = super().wait(gen, interval, seconds)
        except _WaitTimeout:
            result = self._wait_on(gen, began, deadline)
        if watch is not None and began > watch.answered_at:
            watch.answered_at = began
        return result

    def _wait_on(self, gen: PQGen[Any], began: float, deadline: Deadline | None) -> Any:
        """Continue a long wait, and test now and then whether it is in vain.

        psycopg's generator continues where the wait was interrupted.
        """
        watch = self.watch
        while True:
            now = time.monotonic()
            is_over = now - began >= self.longest_seconds
            if watch is not None:
                watch.suspect()
                is_over = is_over or watch.must_end(began)
            if is_over or (deadline is not None and now >= deadline.at):
                self._give_up(deadline)
            left = _SLICE_SECONDS if deadline is None else min(_SLICE_SECONDS, deadline.at - now)
            try:
                return super().wait(gen, timeout=left)
            except _WaitTimeout:
                continue

    def _give_up(self, deadline: Deadline | None) -> None:
        # Closing does not block, because the socket does not; libpq's goodbye is sent as far as it
        # fits.
        self.close()
        if self.watch is not None and self.watch.is_frozen:
            raise DatabaseFrozen
        if deadline is not None and deadline.hands_over:
            raise WouldWait(has_waited=True)
        raise NoAnswer


def _until(ends_at: float, steps: PQGenConn[Connection]) -> Generator[Any, Any, Connection]:
    """psycopg's steps to a connection, ended at a time; resumed ten times a second."""
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if time.monotonic() >= ends_at:
                raise NoAnswer
            wanted = steps.send(ready)
    except StopIteration as done:
        connection: Connection = done.value
        return connection
    finally:
        steps.close()
