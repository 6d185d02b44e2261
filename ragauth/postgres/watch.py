"""Whether the database answers at all: known to every thread of the process.

While it does not, no thread asks it: each request is refused at once, and one thread tries a
connection of its own again and again until there is an answer.
"""

import logging
import os
import threading
import time
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg.errors import ConnectionTimeout

from ragauth.database_faults import DatabaseFault
from ragauth.deadlines import at_most
from ragauth.metrics import FROZEN
from ragauth.postgres.connection import Connection, NoAnswer

log = logging.getLogger("ragauth")

# A database is frozen when nothing that began within this time has been answered.
_SILENT_SECONDS = 1.4
_FIRST_PROBE_SECONDS = 1.5
# While it is frozen; both together are how late its return is noticed.
_PROBE_SECONDS = 1.0
_PAUSE_SECONDS = 0.25
# A database that is merely slow is not asked more often than this.
_REST_SECONDS = 0.5


class DatabaseWatch:
    """One for each engine of a process. A command is `is_quiet`: it says itself what failed it."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._is_quiet = is_quiet
        self.is_frozen = False
        # When the last statement that was answered, or connection that was made, began.
        self.answered_at = 0.0
        # Those of the last connection, for a probe's own.
        self.parameters: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._probe: threading.Thread | None = None
        self._rests_until = 0.0
        _watches.add(self)

    def suspect(self) -> None:
        """Have a thread ask whether the database answers, unless one does or has just done so."""
        if self._probe is not None or time.monotonic() < self._rests_until:
            return
        with self._lock:
            if self._probe is None and self.parameters is not None:
                self._probe = threading.Thread(
                    target=self._ask, name="database probe", args=(self.parameters,), daemon=True
                )
                self._probe.start()

    def must_end(self, began: float) -> bool:
        """Whether a wait that began then is in vain.

        The probe says so, or, where the probe itself is stuck (a name that is not looked up), the
        silence: of all that began since, two probes among them, nothing has been answered.
        """
        if self._silence(began) >= _REST_SECONDS + 2 * _FIRST_PROBE_SECONDS:
            self.note_silence(began)
        return self.is_frozen

    def note_silence(self, began: float) -> None:
        """What began then has ended without an answer."""
        if self._silence(began) < _SILENT_SECONDS:
            return
        with self._lock:
            if self.is_frozen:
                return
            self.is_frozen = True
            FROZEN.add(1)
        if not self._is_quiet:
            log.error(DatabaseFault.FROZEN.sentence)
        self._rests_until = 0.0
        self.suspect()

    def forget(self) -> None:
        """Begin anew, as a process that has not asked yet; a probe at work ends by itself."""
        with self._lock:
            if self.is_frozen:
                FROZEN.add(-1)
            self.is_frozen = False
            self._probe = None

    def _silence(self, began: float) -> float:
        return time.monotonic() - max(began, self.answered_at)

    def _ask(self, parameters: dict[str, Any]) -> None:
        seconds = _FIRST_PROBE_SECONDS
        while True:
            began = time.monotonic()
            answer = _try_connection(parameters, seconds)
            with self._lock:
                if self._probe is not threading.current_thread():
                    return
            if answer is None:
                self.note_silence(began)
            else:
                self._thaw(began, answer)
            with self._lock:
                if not self.is_frozen:
                    self._rests_until = time.monotonic() + _REST_SECONDS
                    self._probe = None
                    return
            seconds = _PROBE_SECONDS
            time.sleep(_PAUSE_SECONDS)

    def _thaw(self, began: float, answer: str) -> None:
        with self._lock:
            self.answered_at = max(began, self.answered_at)
            if not self.is_frozen:
                return
            self.is_frozen = False
            FROZEN.add(-1)
        if not self._is_quiet:
            log.warning("the database answers again: %s", answer)

    def after_fork(self) -> None:
        """In the child: no thread of the parent's is there, and its lock may be held for ever."""
        self._lock = threading.Lock()
        self._probe = None
        self.is_frozen = False


def _try_connection(parameters: dict[str, Any], seconds: float) -> str | None:
    """The database's answer in words, or None when there was none in time.

    A pooler takes a connection whatever becomes of the database behind it: only a statement tells.
    """
    began = time.monotonic()
    try:
        with at_most(seconds):
            connection = Connection.connect(**parameters)
            try:
                connection.execute("SELECT 1")
            finally:
                connection.close()
    except (NoAnswer, ConnectionTimeout):
        return None
    except psycopg.Error as error:
        # A name that cannot be looked up takes its time; every other refusal is an answer.
        is_late = time.monotonic() - began > seconds
        return None if is_late else f"it refuses a connection ({type(error).__name__})"
    return "it takes a connection"


_watches: WeakSet[DatabaseWatch] = WeakSet()


def _after_fork() -> None:
    for watch in list(_watches):
        watch.after_fork()


os.register_at_fork(after_in_child=_after_fork)
