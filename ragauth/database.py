"""How the service talks to SQLite and to Postgres: types, names, pools, transactions."""

import os
import sqlite3
import uuid
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Engine, MetaData, Text, TypeDecorator, Uuid, event
from sqlalchemy.engine import Connection, Dialect, ExceptionContext
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase, registry

from ragauth.metrics import DATABASE_ERRORS

POOL_TIMEOUT_SECONDS = 5
SQLITE_BUSY_MS = 10_000

# Whether the transaction that begins next will only read; set by `ragauth.transaction`.
only_reads: ContextVar[bool] = ContextVar("only_reads", default=False)
# Whether the present transaction has inserted, updated or deleted.
has_written: ContextVar[bool] = ContextVar("has_written", default=False)


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


def engine_options(database_url: str) -> dict[str, Any]:
    """SQLAlchemy's engine options.

    Nothing waits for ever: a database that is gone shows itself as an error within the pool's
    time-out.
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
        "connect_args": {
            "connect_timeout": 3,
            "tcp_user_timeout": 5_000,
            "options": "-c timezone=UTC -c lock_timeout=5000 -c statement_timeout=15000",
        },
    }


@event.listens_for(Engine, "do_connect")
def _make_private(dialect: Dialect, _record: object, arguments: Any, _keywords: object) -> None:
    if dialect.name == "sqlite" and arguments[0] != ":memory:":
        make_private_file(arguments[0])


def make_private_file(path: str) -> None:
    """Make a database that SQLite would make itself, for every user to read.

    Its `-wal` and `-shm` have the mode of the database (SQLite's findCreateFileMode).
    """
    # SQLite itself finds, and tells, what is wrong with a path.
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Take transactions into our own hands: Python's legacy mode loses updates silently."""
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None
    prepare_sqlite_connection(connection)


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
def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once, unless the transaction says that it only reads.

    A read that is upgraded after another's commit fails at once with SQLITE_BUSY_SNAPSHOT, and
    no busy_timeout helps; waiting for the lock at the start does.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN" if only_reads.get() else "BEGIN IMMEDIATE")


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
def _count_error(context: ExceptionContext) -> None:
    """A constraint that refuses is no fault of the database, nor is a stale pooled connection."""
    is_fault = isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError)
    if is_fault and not context.is_pre_ping:
        DATABASE_ERRORS.count()
