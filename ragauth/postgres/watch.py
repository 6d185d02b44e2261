"""Whether the database answers at all, known to all threads of the process.

While it does not, each request is refused at once without asking it. One thread opens a connection
of its own again and again until there is an answer.
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

# A database is frozen if nothing that began within this time has been answered.
_SILENT_SECONDS = 1.4
_FIRST_PROBE_SECONDS = 1.5
# While it is frozen; its return is noticed within the sum of both.
_PROBE_SECONDS = 1.0
_PAUSE_SECONDS = 0.25
# A database that is merely slow is not probed more often than this.
_REST_SECONDS = 0.5


class DatabaseWatch:
    """One for each engine of a process.

    In a command it `is_quiet`: the command reports the failure.
    """

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._is_quiet = is_quiet
        self.is_frozen = False
        # The start of the latest statement that was answered, or of the latest successful connect.
        self.answered_at = 0.0
        # The parameters of the last connection; the probe uses them.
        self.parameters: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._probe: threading.Thread | None = None
        self._rests_until = 0.0
        _watches.add(self)

    def suspect(self) -> None:
        """Start a thread that probes the database, unless one is running or has just finished."""
        if self._probe is not None or time.monotonic() < self._rests_until:
            return
        with self._lock:
            if self._probe is None and self.parameters is not None:
                self._probe = threading.Thread(
                    target=self._ask, name="database probe", args=(self.parameters,), daemon=True
                )
                self._probe.start()

    def must_end(self, began: float) -> bool:
        """Whether a wait that began at this time is in vain.

        The probe decides. If the probe itself is stuck (in looking up a name), silence decides:
        nothing that began since then has been answered, for longer than two probes take.
        """
        if self._silence(began) >= _REST_SECONDS + 2 * _FIRST_PROBE_SECONDS:
            self.note_silence(began)
        return self.is_frozen

    def note_silence(self, began: float) -> None:
        """Note that what began at this time has ended without an answer."""
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
        """Reset the state to that of a new process; a running probe ends by itself."""
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
        """Reset the state in a child: it has no threads of the parent, and the lock may be held."""
        self._lock = threading.Lock()
        self._probe = None
        self.is_frozen = False


def _try_connection(parameters: dict[str, Any], seconds: float) -> str | None:
    """Connect and run a statement; returns the answer in words, or None if there is none in time.

    A statement is needed: a pooler accepts connections even while its database does not answer.
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
        # A late error is a name that could not be looked up; every other refusal is an answer.
        is_late = time.monotonic() - began > seconds
        return None if is_late else f"it refuses a connection ({type(error).__name__})"
    return "it takes a connection"


_watches: WeakSet[DatabaseWatch] = WeakSet()


def _after_fork() -> None:
    for watch in list(_watches):
        watch.after_fork()


os.register_at_fork(after_in_child=_after_fork)
