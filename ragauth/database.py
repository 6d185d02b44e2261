"""How the service talks to SQLite and to Postgres: types, names, pools, transactions."""

import json
import os
import sqlite3
import stat
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from sqlalchemy import URL, DateTime, Engine, MetaData, Text, TypeDecorator, Uuid, event
from sqlalchemy.dialects import registry as dialects
from sqlalchemy.engine import Connection, Dialect, ExceptionContext
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, registry
from sqlalchemy.pool import ConnectionPoolEntry

from ragauth.database_faults import DatabaseFault, UnusableDatabase, fault_of, is_lock_timeout
from ragauth.metrics import DATABASE_ERRORS

POOL_TIMEOUT_SECONDS = 5
SQLITE_BUSY_MS = 10_000
_SQLITE_RETRY_SECONDS = 0.01
_ROOMY_KIB, _PAGE_KIB = 65_536, 4
_POSTGRES_TIMEOUTS_MS = {"lock_timeout": 5_000, "statement_timeout": 15_000}
# If a pooler dropped the options of a session's start, this one is missing too.
SESSION_MARK = "ragauth.session"
# One message, so one round trip, like the driver's own BEGIN.
_BEGIN_WITH_TIMEOUTS = "; ".join(
    ["BEGIN", *(f"SET LOCAL {name} = {ms}" for name, ms in _POSTGRES_TIMEOUTS_MS.items())]
)

# Imported with the first engine for Postgres.
dialects.register("postgresql.ragauth", "ragauth.postgres.dialect", "Dialect")

# Whether the transaction that begins next will only read; set by `ragauth.transaction`.
only_reads: ContextVar[bool] = ContextVar("only_reads", default=False)
# How long the transaction that begins next waits for those who write, if not as long as any other;
# set by `ragauth.transaction`.
longest_wait_ms: ContextVar[int | None] = ContextVar("longest_wait_ms", default=None)
# Whether the present transaction has inserted, updated or deleted.
has_written: ContextVar[bool] = ContextVar("has_written", default=False)
# Whether the present transaction was committed here, but perhaps on no standby.
is_unreplicated: ContextVar[bool] = ContextVar("is_unreplicated", default=False)
_WANTS_WRITER = "ragauth_wants_writer"


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite stores it without a zone; it is loaded with one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        if dialect.name == "sqlite":
            # SQLAlchemy's own way to a time without a zone, and a zone for it, take six times that.
            return lambda text: None if text is None else parse_sqlite_moment(text)
        return super().result_processor(dialect, coltype)


def parse_sqlite_moment(text: str) -> datetime:
    """Parse SQLite's form of a time: text without a zone, in UTC."""
    return datetime.fromisoformat(text + "+00:00")


class Words(TypeDecorator[list[str]]):
    """A short list of words without spaces, stored as one string: scopes, networks, origins."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else " ".join(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[str] | None:
        return None if value is None else value.split()


class Json(TypeDecorator[Any]):
    """A value of JSON, stored as text; the key check reads the text as it is. None is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return self._text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)

    def compare_values(self, x: Any, y: Any) -> bool:
        """As text: to Python 1 equals true, and 1.0, so such a change would not be stored."""
        return self._text(x) == self._text(y)

    @staticmethod
    def _text(value: Any) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))


class Base(DeclarativeBase):
    """The declarative base; every constraint gets a name that is made of its columns."""

    registry = registry(
        type_annotation_map={datetime: UtcDateTime(), uuid.UUID: Uuid()},
        metadata=MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
    )


def engine_url(database_url: str) -> URL:
    """SQLAlchemy's URL for the setting's URL; for Postgres `engine_options` has the rest."""
    if database_url.startswith("sqlite"):
        path = unquote(database_url.removeprefix("sqlite:///"))
        return URL.create("sqlite", database=path)
    return URL.create("postgresql+ragauth")


class _RoomyConnection(sqlite3.Connection):
    """Has room for the pages that large transactions change, in memory and in the write-ahead log.

    With SQLite's own 2 and 4 MB a page that changes again and again is written as often.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.execute(f"PRAGMA cache_size=-{_ROOMY_KIB}")
        self.execute(f"PRAGMA wal_autocheckpoint={_ROOMY_KIB // _PAGE_KIB}")


def engine_options(
    database_url: str, *, pooled: bool = False, is_patient: bool = False
) -> dict[str, Any]:
    """SQLAlchemy's engine options; `pooled` as for `connection_parameters`.

    `is_patient` is for commands, which change many rows: it lets them wait for a long statement,
    and gives them more memory. No wait is endless: an unreachable database is an error within the
    pool's time-out, and for one that does not answer see `ragauth.postgres`.
    """
    # Errors must not show a statement's parameters, which may be secrets.
    always = {"pool_timeout": POOL_TIMEOUT_SECONDS, "hide_parameters": True}
    if database_url.startswith("sqlite"):
        options = {**always, "pool_size": 16, "max_overflow": 16}
        return {**options, "connect_args": {"factory": _RoomyConnection}} if is_patient else options
    return {
        **always,
        "pool_size": 8,
        "max_overflow": 4,
        "pool_pre_ping": True,
        "is_patient": is_patient,
        "connect_args": connection_parameters(database_url, pooled=pooled),
    }


def connection_parameters(database_url: str, *, pooled: bool = False) -> dict[str, Any]:
    """psycopg's and libpq's parameters: those of the URL as libpq reads it, else our own.

    The `options` of both are sent; the URL's takes precedence. If a pooler gives each transaction
    another session (`pooled`), nothing may depend on the session: no options of ours at its start,
    no prepared statements, and transactions begin with their own time-outs (see `_begin`) instead
    of the driver's bare BEGIN.
    """
    # Imported only for Postgres.
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    parameters: dict[str, Any] = {
        "connect_timeout": "3",
        "tcp_user_timeout": "5000",
        "application_name": "ragauth",
        **conninfo_to_dict(database_url),
        # It overrides PGCLIENTENCODING.
        "client_encoding": "UTF8",
    }
    if pooled:
        return {**parameters, "autocommit": True, "prepare_threshold": None}
    own = " ".join(f"-c {name}={ms}" for name, ms in _POSTGRES_TIMEOUTS_MS.items())
    theirs = parameters.get("options", "")
    parameters["options"] = f"{own} {theirs} -c timezone=UTC -c {SESSION_MARK}=on"
    return parameters


def execute(connection: Connection, sql: str, parameters: Any = ()) -> Any:
    """Let the driver execute a statement in the present transaction; returns the driver's cursor.

    SQLAlchemy's own way takes several times as long as a short statement: a context for each
    execution, a description of each column. It still handles an error: it counts it, invalidates a
    lost connection, and raises an exception of its own.
    """
    cursor: Any = connection.connection.cursor()
    for observe in connection.engine.dispatch.before_cursor_execute:
        observe(connection, cursor, sql, parameters, None, False)
    try:
        cursor.execute(sql, parameters)
    except connection.dialect.loaded_dbapi.Error as error:
        connection._handle_dbapi_exception(error, sql, parameters, cursor, None)
    return cursor


@event.listens_for(Engine, "do_connect")
def _make_private(dialect: Dialect, _record: object, arguments: Any, _keywords: object) -> None:
    if dialect.name == "sqlite" and arguments[0] != ":memory:":
        make_private_file(arguments[0])


def make_private_file(path: str) -> None:
    """Create the database file with mode 0600; SQLite itself would let every user read it.

    Its `-wal` and `-shm` get the mode of the database (SQLite's findCreateFileMode). An existing
    file is never opened here: closing it would drop every lock that SQLite holds on it in this
    process (POSIX advisory locks), and another process would take the database for unused.
    """
    # SQLite itself reports what is wrong with the path.
    with suppress(OSError):
        os.mknod(path, 0o600 | stat.S_IFREG)


@event.listens_for(Engine, "connect")
def _prepare(connection: Any, record: ConnectionPoolEntry) -> None:
    """Prepare a new connection.

    On SQLite, begin transactions ourselves, because Python's legacy mode loses updates silently. A
    Postgres database must be able to store every text.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None
        prepare_sqlite_connection(connection)
    else:
        refuse_wrong_encoding(connection)
        note_unreplicated_commits(connection)
        record.info[_WANTS_WRITER] = wants_writer(connection)


@event.listens_for(Engine, "checkout")
def _leave_read_only(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Let the pool connect again if the server is read-only, which its ping has just reported."""
    if record.info.get(_WANTS_WRITER) and is_read_only(connection):
        raise DisconnectionError


def wants_writer(connection: Any) -> bool:
    """Whether the URL requires a server that accepts writes, as a URL with several hosts does."""
    parameters = connection.info.get_parameters()
    return bool(parameters.get("target_session_attrs") == "read-write")


def is_read_only(connection: Any) -> bool:
    """Whether the Postgres server has reported that it is read-only; sends no query.

    From Postgres 14 on a server reports the change with its next answer (GUC_REPORT). A former
    primary that was fenced in this way still has its old rows: keys that were revoked on the new
    primary are alive there.
    """
    status = connection.pgconn.parameter_status
    return b"on" in (status(b"default_transaction_read_only"), status(b"in_hot_standby"))


def note_unreplicated_commits(connection: Any) -> None:
    """Note a commit that the standbys may not have; `transaction` uses it."""
    connection.add_notice_handler(_note_notice)


def _note_notice(notice: Any) -> None:
    # A commit that is cancelled while it waits for standbys succeeds, with only this warning.
    if notice.source_function == "SyncRepWaitForLSN":
        is_unreplicated.set(True)


def refuse_wrong_encoding(connection: Any) -> None:
    """Raise UnusableDatabase for a Postgres database that is not in UTF8; sends no query.

    LATIN1 cannot store every name; SQL_ASCII returns bytes instead of text.
    """
    # A server reports the encoding when the connection is made; some poolers do not.
    if connection.info.parameter_status("server_encoding") not in ("UTF8", None):
        connection.close()
        raise UnusableDatabase(DatabaseFault.WRONG_ENCODING)


def prepare_sqlite_connection(connection: sqlite3.Connection) -> None:
    """The settings that every SQLite connection of the service has; one without them is closed."""
    try:
        connection.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        _write_ahead(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Set the journal's mode, which a new or restored file has to be given once.

    Where several do so at the same time, each has a read lock already and would wait for the
    others for ever. SQLite refuses some of them without waiting for the busy_timeout: they try
    again.
    """
    deadline = time.monotonic() + SQLITE_BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not is_lock_timeout(error) or time.monotonic() > deadline:
                raise
            time.sleep(_SQLITE_RETRY_SECONDS)
        else:
            return


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    """Begin a transaction. On SQLite take the write lock at once, unless it only reads.

    A read transaction that starts to write after another's commit fails at once with
    SQLITE_BUSY_SNAPSHOT, whatever the busy_timeout; waiting for the lock at the start avoids that.
    Behind a pooler the driver does not begin transactions itself: the time-outs are sent with
    BEGIN.
    """
    wait_ms = longest_wait_ms.get()
    if connection.dialect.name == "sqlite":
        if wait_ms is not None:
            execute(connection, f"PRAGMA busy_timeout={wait_ms}")
        try:
            execute(connection, "BEGIN" if only_reads.get() else "BEGIN IMMEDIATE")
        finally:
            if wait_ms is not None:
                execute(connection, f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
        return
    if connection.connection.driver_connection.autocommit:  # type: ignore[union-attr]
        connection.exec_driver_sql(_BEGIN_WITH_TIMEOUTS)
    if wait_ms is not None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait_ms}")


@event.listens_for(Engine, "after_cursor_execute")
def _note_write(
    _connection: Connection,
    _cursor: object,
    _statement: str,
    _parameters: object,
    context: DefaultExecutionContext,
    _executemany: bool,
) -> None:
    if context.isinsert or context.isupdate or context.isdelete:
        has_written.set(True)


@event.listens_for(Engine, "handle_error")
def _note_error(context: ExceptionContext) -> None:
    """Count an error, unless a constraint or a stale connection is the cause.

    Nor does it count that a transaction did not get a lock within a time that its caller set.

    If the server has become read-only, close the connection: behind the same name, or later in the
    list of hosts, another server may accept writes by now.
    """
    fault = fault_of(context.sqlalchemy_exception)
    if fault is None or context.is_pre_ping:
        return
    if longest_wait_ms.get() is not None and is_lock_timeout(context.sqlalchemy_exception):
        return
    DATABASE_ERRORS.count()
    if fault is DatabaseFault.READ_ONLY and context.dialect.name == "postgresql":
        context.is_disconnect = True
