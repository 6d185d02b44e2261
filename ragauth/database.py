"""How the service talks to SQLite and to Postgres: types, names, pools, transactions."""

import os
import sqlite3
import stat
import uuid
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

from ragauth.database_faults import DatabaseFault, UnusableDatabase, fault_of
from ragauth.metrics import DATABASE_ERRORS

POOL_TIMEOUT_SECONDS = 5
SQLITE_BUSY_MS = 10_000
_POSTGRES_TIMEOUTS_MS = {"lock_timeout": 5_000, "statement_timeout": 15_000}
# A session that has lost the options of its start, in a pooler, has lost this one too.
SESSION_MARK = "ragauth.session"
# One message, and so one round trip, as the driver's own BEGIN.
_BEGIN_WITH_TIMEOUTS = "; ".join(
    ["BEGIN", *(f"SET LOCAL {name} = {ms}" for name, ms in _POSTGRES_TIMEOUTS_MS.items())]
)

# Loaded with the first engine of a Postgres.
dialects.register("postgresql.ragauth", "ragauth.postgres.dialect", "Dialect")

# Whether the transaction that begins next will only read; set by `ragauth.transaction`.
only_reads: ContextVar[bool] = ContextVar("only_reads", default=False)
# How long the transaction that begins next waits for those who write, if not as long as any other;
# set by `ragauth.transaction`.
longest_wait_ms: ContextVar[int | None] = ContextVar("longest_wait_ms", default=None)
# Whether the present transaction has inserted, updated or deleted.
has_written: ContextVar[bool] = ContextVar("has_written", default=False)
# Whether the present transaction's commit was done here, and perhaps on no standby.
is_unreplicated: ContextVar[bool] = ContextVar("is_unreplicated", default=False)
_WANTS_WRITER = "ragauth_wants_writer"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite stores it without a zone and gives it back with one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[list[str]]):
    """A short list of words without spaces, stored as one string: scopes, networks, origins."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else " ".join(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[str] | None:
        return None if value is None else value.split()


class Base(DeclarativeBase):
    """The declarative base; every constraint gets a name that can be told from its columns."""

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
    """What SQLAlchemy is told of the setting's URL; for Postgres `engine_options` has the rest."""
    if database_url.startswith("sqlite"):
        path = unquote(database_url.removeprefix("sqlite:///"))
        return URL.create("sqlite", database=path)
    return URL.create("postgresql+ragauth")


def engine_options(
    database_url: str, *, pooled: bool = False, is_patient: bool = False
) -> dict[str, Any]:
    """SQLAlchemy's engine options; `pooled` as for `connection_parameters`.

    `is_patient` lets a command wait for a long statement.

    Nothing waits for ever: a database that is gone shows itself as an error within the pool's
    time-out, and one that does not answer as `ragauth.postgres` has it.
    """
    # A statement's parameters may be secrets: no error tells them.
    always = {"pool_timeout": POOL_TIMEOUT_SECONDS, "hide_parameters": True}
    if database_url.startswith("sqlite"):
        return {**always, "pool_size": 16, "max_overflow": 16}
    return {
        **always,
        "pool_size": 8,
        "max_overflow": 4,
        "pool_pre_ping": True,
        "is_patient": is_patient,
        "connect_args": connection_parameters(database_url, pooled=pooled),
    }


def connection_parameters(database_url: str, *, pooled: bool = False) -> dict[str, Any]:
    """psycopg's and libpq's parameters: those of the URL as libpq reads it, ours where it has none.

    Options of both are sent; of two for one thing the URL's counts.

    Where a pooler hands each transaction to another session (`pooled`), nothing may rest on the
    session: no options of ours at its start, no prepared statements, and transactions that begin
    with their own time-outs (see `_begin`), not with the driver's bare BEGIN.
    """
    # Loaded where there is a Postgres.
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    parameters: dict[str, Any] = {
        "connect_timeout": "3",
        "tcp_user_timeout": "5000",
        "application_name": "ragauth",
        **conninfo_to_dict(database_url),
        # Whatever PGCLIENTENCODING says.
        "client_encoding": "UTF8",
    }
    if pooled:
        return {**parameters, "autocommit": True, "prepare_threshold": None}
    own = " ".join(f"-c {name}={ms}" for name, ms in _POSTGRES_TIMEOUTS_MS.items())
    theirs = parameters.get("options", "")
    parameters["options"] = f"{own} {theirs} -c timezone=UTC -c {SESSION_MARK}=on"
    return parameters


@event.listens_for(Engine, "do_connect")
def _make_private(dialect: Dialect, _record: object, arguments: Any, _keywords: object) -> None:
    if dialect.name == "sqlite" and arguments[0] != ":memory:":
        make_private_file(arguments[0])


def make_private_file(path: str) -> None:
    """Make a database that SQLite would make itself, for every user to read.

    Its `-wal` and `-shm` have the mode of the database (SQLite's findCreateFileMode). The file is
    never opened here: to close it would drop every lock that SQLite holds on it in this process
    (POSIX advisory locks), and another process would take the database for unused.
    """
    # SQLite itself finds, and tells, what is wrong with a path.
    with suppress(OSError):
        os.mknod(path, 0o600 | stat.S_IFREG)


@event.listens_for(Engine, "connect")
def _prepare(connection: Any, record: ConnectionPoolEntry) -> None:
    """Take SQLite's transactions into our own hands: Python's legacy mode loses updates silently.

    A Postgres must be able to hold every text.
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
    """Have the pool connect again; its ping has just brought the server's newest word."""
    if record.info.get(_WANTS_WRITER) and is_read_only(connection):
        raise DisconnectionError


def wants_writer(connection: Any) -> bool:
    """Whether the URL, as one of several hosts does, asks for a server that writes."""
    parameters = connection.info.get_parameters()
    return bool(parameters.get("target_session_attrs") == "read-write")


def is_read_only(connection: Any) -> bool:
    """Whether a server of Postgres has said that it writes no more; asks nothing.

    From Postgres 14 on it tells of a change together with its next answer (GUC_REPORT). A former
    primary that was fenced in this way answers from what it had: keys that the new one has
    revoked since are alive there.
    """
    status = connection.pgconn.parameter_status
    return b"on" in (status(b"default_transaction_read_only"), status(b"in_hot_standby"))


def note_unreplicated_commits(connection: Any) -> None:
    """Remember, see `transaction`, a commit that the standbys may not have."""
    connection.add_notice_handler(_note_notice)


def _note_notice(notice: Any) -> None:
    # Whoever cancels a commit that waits for its standbys gets it done, with this warning alone.
    if notice.source_function == "SyncRepWaitForLSN":
        is_unreplicated.set(True)


def refuse_wrong_encoding(connection: Any) -> None:
    """Raise UnusableDatabase for a database of Postgres that is not in UTF8; asks nothing.

    LATIN1 cannot hold every name, SQL_ASCII gives bytes in the place of text.
    """
    # A server tells it when the connection is made; not every pooler does.
    if connection.info.parameter_status("server_encoding") not in ("UTF8", None):
        connection.close()
        raise UnusableDatabase(DatabaseFault.WRONG_ENCODING)


def prepare_sqlite_connection(connection: sqlite3.Connection) -> None:
    """The settings that every SQLite connection of the service has."""
    for pragma in (
        f"busy_timeout={SQLITE_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    """On SQLite take the write lock at once, unless the transaction says that it only reads.

    A read that is upgraded after another's commit fails at once with SQLITE_BUSY_SNAPSHOT, and
    no busy_timeout helps; waiting for the lock at the start does.

    Behind a pooler the driver begins nothing by itself: the time-outs come with the BEGIN.
    """
    wait_ms = longest_wait_ms.get()
    if connection.dialect.name == "sqlite":
        if wait_ms is not None:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={wait_ms}")
        try:
            connection.exec_driver_sql("BEGIN" if only_reads.get() else "BEGIN IMMEDIATE")
        finally:
            if wait_ms is not None:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
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
    """Count it: a constraint that refuses is no fault of the database, nor is a stale connection.

    A server that has become read-only is left: behind the same name, or further on in the list of
    hosts, there may be one by now that writes.
    """
    fault = fault_of(context.sqlalchemy_exception)
    if fault is None or context.is_pre_ping:
        return
    DATABASE_ERRORS.count()
    if fault is DatabaseFault.READ_ONLY and context.dialect.name == "postgresql":
        context.is_disconnect = True
