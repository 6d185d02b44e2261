"""Reads for every request: prepared statements on raw connections.

SQLAlchemy Core compiles the SQL from the models once, so that a renamed column cannot break it
silently; only the driver executes it. Nothing is cached between two reads, and each read sees what
was committed before it began.
"""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from sqlite3 import SQLITE_INTERRUPT
from typing import Any

from sqlalchemy import Dialect, Engine, Select

from ragauth.database import (
    connection_parameters,
    is_read_only,
    make_private_file,
    prepare_sqlite_connection,
    refuse_wrong_encoding,
    wants_writer,
)
from ragauth.database_faults import DatabaseFault, UnusableDatabase, log_fault
from ragauth.deadlines import CHECK_SECONDS, WouldWait, at_most, current_deadline, may_wait
from ragauth.errors import ExternalServiceUnavailable
from ragauth.metrics import DATABASE_ERRORS
from ragauth.models.plain_rows import with_named_parameters

# Each connection's own copies of pages. A larger cache makes a check no faster; a mapped file would
# save 3 to 6 µs, but count as memory of each worker.
_SQLITE_CACHE_KIB = 512
# Steps of SQLite's virtual machine, half a millisecond: a page of a hundred rows takes 3,400.
_SQLITE_LONG_STEPS = 20_000
_FIRST_TRY_SECONDS = 1.0
_HANGS_SECONDS = 1.0
_LONG_WAIT_SECONDS = 0.4

Row = tuple[Any, ...]


class PreparedReads:
    """Runs compiled SELECTs outside the pool, in autocommit. Safe for threads and across a fork."""

    def __init__(self, engine: Engine, database_url: str, *, pooled: bool = False) -> None:
        """`pooled` as for `connection_parameters`: then nothing is prepared."""
        self._engine = engine
        self._database_url = database_url
        self._pooled = pooled
        self._errors = (engine.dialect.dbapi.Error, UnusableDatabase)  # type: ignore[union-attr]
        self._local = threading.local()
        self._held: weakref.WeakSet[_HeldConnection] = weakref.WeakSet()
        # Spare connections to Postgres for any thread, so that the polling thread never needs to
        # open one.
        self._spare: deque[_HeldConnection] = deque()
        self.is_sqlite = engine.dialect.name == "sqlite"
        # Set when a read had no answer in time although the database answers others. Until this
        # time only one thread at a time tries again, so that the others are free for other
        # requests.
        self._hangs_until = 0.0
        self._trying = threading.Lock()
        if not self.is_sqlite:
            # Imported only for Postgres.
            from ragauth.postgres.connection import DatabaseFrozen, NoAnswer  # noqa: PLC0415

            self._no_answer, self._frozen = NoAnswer, DatabaseFrozen

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def compile(self, statement: Select[*tuple[Any, ...]]) -> str:
        """Compile a statement for the driver; its parameters are named."""
        return with_named_parameters(statement, self._engine.dialect)

    def read(self, sql: str, parameters: dict[str, Any]) -> Sequence[Row]:
        """Read all rows; a lost connection is opened again, once.

        Raises ExternalServiceUnavailable, and in the polling thread WouldWait.
        """
        try:
            if self.is_sqlite:
                return self._read_sqlite(sql, (parameters,))[0]
            return self._read_postgres(sql, parameters)
        except self._errors as error:
            raise _unavailable(error) from error

    def read_each(self, sql: str, parameters: Sequence[dict[str, Any]]) -> list[Sequence[Row]]:
        """Read all rows for each of several parameters, from one snapshot of SQLite.

        It costs a sixth less than one by one. Raises ExternalServiceUnavailable.
        """
        try:
            return self._read_sqlite(sql, parameters)
        except self._errors as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        """Close the connections of all threads; a later read opens a new one."""
        for held in list(self._held):
            held.close()
        self._local = threading.local()
        self._forget_spare()

    def _read_sqlite(self, sql: str, parameters: Sequence[dict[str, Any]]) -> list[Sequence[Row]]:
        try:
            return self._ask_sqlite(sql, parameters)
        except self._errors as error:
            self._forget_connection()
            if getattr(error, "sqlite_errorcode", None) == SQLITE_INTERRUPT:
                raise WouldWait(has_waited=False) from None
        try:
            return self._ask_sqlite(sql, parameters)
        except self._errors:
            self._forget_connection()
            raise

    def _ask_sqlite(self, sql: str, parameters: Sequence[dict[str, Any]]) -> list[Sequence[Row]]:
        held = getattr(self._local, "held", None)
        if held is None or held.pid != os.getpid():
            held = self._local.held = _HeldConnection(self._connect(), must_write=False)
            held.connection.set_progress_handler(held.looks.must_end, _SQLITE_LONG_STEPS)
            self._held.add(held)
        looks, cursor = held.looks, held.cursor
        looks.of_statement = 0
        # Read to the end: a half-read statement keeps its old snapshot open.
        if len(parameters) == 1:
            return [cursor.execute(sql, parameters[0]).fetchall()]
        rows: list[Sequence[Row]] = []
        try:
            cursor.execute("BEGIN")
            for each in parameters:
                looks.of_statement = 0
                rows.append(cursor.execute(sql, each).fetchall())
            cursor.execute("COMMIT")
        except BaseException:
            # A transaction that stayed open would read from its old snapshot for ever.
            self._forget_connection()
            raise
        return rows

    def _read_postgres(self, sql: str, parameters: dict[str, Any]) -> Sequence[Row]:
        deadline = current_deadline.get()
        if deadline is not None and deadline.hands_over:
            return self._read_at_once(sql, parameters)
        if deadline is not None and deadline.at <= time.monotonic():
            # The request waited too long for a thread; no connection is at fault.
            raise self._no_answer
        if not self._hangs():
            return self._read_in_time(sql, parameters)
        if not self._trying.acquire(blocking=False):
            raise self._no_answer
        try:
            return self._read_in_time(sql, parameters)
        finally:
            self._trying.release()

    def _hangs(self) -> bool:
        return self._hangs_until > 0 and (
            self._trying.locked() or time.monotonic() < self._hangs_until
        )

    def _read_in_time(self, sql: str, parameters: dict[str, Any]) -> Sequence[Row]:
        began = time.monotonic()
        try:
            with at_most(CHECK_SECONDS):
                rows = self._read_twice(sql, parameters)
        except self._no_answer as error:
            # If there was too little time left, the time-out proves nothing; of a frozen database
            # all threads know already.
            has_waited = time.monotonic() - began >= _LONG_WAIT_SECONDS
            if has_waited and not isinstance(error, self._frozen):
                self._hangs_until = time.monotonic() + _HANGS_SECONDS
            raise
        self._hangs_until = 0.0
        return rows

    def _read_twice(self, sql: str, parameters: dict[str, Any]) -> Sequence[Row]:
        held = self._take_spare()
        if held is not None:
            try:
                # Perhaps only this connection was lost, and the server is reachable.
                with at_most(_FIRST_TRY_SECONDS):
                    return self._ask_postgres(held, sql, parameters)
            except self._errors:
                self._forget_spare()
        connection = self._connect()
        held = _HeldConnection(connection, must_write=wants_writer(connection))
        return self._ask_postgres(held, sql, parameters)

    def _read_at_once(self, sql: str, parameters: dict[str, Any]) -> Sequence[Row]:
        """Read in the polling thread.

        It opens no connection, because resolving a name could block.
        """
        held = None if self._hangs() else self._take_spare()
        if held is not None:
            try:
                return self._ask_postgres(held, sql, parameters)
            except self._errors:
                self._forget_spare()
        # Raises if no other thread would get an answer either.
        self._engine.dialect.require_answers()  # type: ignore[attr-defined]
        raise WouldWait(has_waited=False)

    def _ask_postgres(
        self, held: "_HeldConnection", sql: str, parameters: dict[str, Any]
    ) -> Sequence[Row]:
        try:
            rows: Sequence[Row] = held.cursor.execute(
                sql, parameters, prepare=True, binary=True
            ).fetchall()
            if held.must_write and is_read_only(held.connection):
                # These rows may come from a former primary.
                raise UnusableDatabase(DatabaseFault.READ_ONLY)
        except BaseException:
            held.close()
            raise
        self._spare.append(held)
        return rows

    def _take_spare(self) -> "_HeldConnection | None":
        """Take the spare connection that was used last; never a connection of the parent."""
        try:
            held = self._spare.pop()
            while held.pid != os.getpid():
                held = self._spare.pop()
        except IndexError:
            return None
        return held

    def _forget_spare(self) -> None:
        """Close all spare connections: the fault that broke one has probably broken the others."""
        while (held := self._take_spare()) is not None:
            held.close()

    def _connect(self) -> Any:
        dialect = self._engine.dialect
        if self.is_sqlite:
            arguments, keywords = dialect.create_connect_args(self._engine.url)
            make_private_file(arguments[0])
            connection: Any = dialect.connect(*arguments, **keywords)
            connection.isolation_level = None
            prepare_sqlite_connection(connection)
            connection.execute(f"PRAGMA cache_size=-{_SQLITE_CACHE_KIB}")
        else:
            parameters = connection_parameters(self._database_url, pooled=self._pooled)
            connection = dialect.connect(**parameters)
            refuse_wrong_encoding(connection)
            # Set once only: setting it again would count as an answer of the database.
            if not connection.autocommit:
                connection.autocommit = True
        return connection

    def _forget_connection(self) -> None:
        held = getattr(self._local, "held", None)
        self._local.held = None
        if held is not None:
            held.close()


class _Looks:
    """SQLite's looks at whether a statement has to end, one after each so many steps.

    It counts the steps of a prepared statement on from its last execution, so that only a second
    look tells of a long one.
    """

    def __init__(self) -> None:
        self.of_statement = 0

    def must_end(self) -> bool:
        """Whether the present statement takes longer than the polling thread has time."""
        self.of_statement += 1
        return self.of_statement > 1 and not may_wait()


def _unavailable(error: Exception) -> ExternalServiceUnavailable:
    DATABASE_ERRORS.count()
    log_fault(error)
    return ExternalServiceUnavailable()


class _HeldConnection:
    """A raw connection, closed with its last reference: SQLite's when its thread ends."""

    def __init__(self, connection: Any, *, must_write: bool) -> None:
        self.connection = connection
        self.must_write = must_write
        self.looks = _Looks()
        self.cursor = connection.cursor()
        self.pid = os.getpid()

    def close(self) -> None:
        # After a fork the parent still uses the socket.
        if self.pid == os.getpid():
            self.connection.close()

    def __del__(self) -> None:
        self.close()
