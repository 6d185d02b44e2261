"""What the aggregates share: violated constraints as errors, and pages of rows."""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import (
    Column,
    CursorResult,
    Delete,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from ragauth.database import Base, execute
from ragauth.deadlines import may_wait
from ragauth.errors import RagauthError
from ragauth.extensions import current, db
from ragauth.models.plain_rows import Rows, plain_rows
from ragauth.models.plain_writes import write
from ragauth.models.usage_places import DayPlace, KeyPlace, MonthPlace

T = TypeVar("T")

_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (?P<columns>.+)")


def flush(conflicts: Mapping[str, type[RagauthError]]) -> None:
    """Send pending changes to the database; a violated constraint in `conflicts` raises its error.

    Only the constraint can decide a race between two requests for the same value; a look-up before
    the insert cannot.
    """
    with _named(conflicts):
        db.session.flush()


@contextmanager
def _named(conflicts: Mapping[str, type[RagauthError]]) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        conflict = conflicts.get(_violated_constraint(error))
        if conflict is None:
            raise
        raise conflict() from error


def changed_columns(row: object) -> set[str]:
    """The columns of a row whose values will be written anew with the next flush."""
    return {attribute.key for attribute in inspect(row).attrs if attribute.history.has_changes()}


def _violated_constraint(error: IntegrityError) -> str:
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return diagnostics.constraint_name or ""
    unique = _SQLITE_UNIQUE.search(str(error.orig))
    if unique is None:
        return ""
    # SQLite reports the columns, from which the naming convention makes the constraint's name.
    table, *columns = [
        part
        for position, column in enumerate(unique["columns"].split(", "))
        for part in (column.split(".") if position == 0 else column.split(".")[1:])
    ]
    return "_".join(["uq", table, *columns])


def insert_row(table: type[Base], **values: Any) -> None:
    """Insert one row as plain values, now: for rows that are only written, without the ORM.

    Columns with a default of the model's are among the values.
    """
    write(_insertion(table), **values)


@cache
def _insertion(table: type[Base]) -> Insert:
    return insert(cast("Table", table.__table__))


def insert_object(row: Base, conflicts: Mapping[str, type[RagauthError]] | None = None) -> None:
    """Insert a new row now, without the ORM's unit of work, which takes four times as long.

    No session knows the object, so what is changed in it afterwards is never written. `conflicts`
    as for `flush`.
    """
    for name, value in _defaults(type(row)):
        if name not in vars(row):
            setattr(row, name, value)
    values = {name: value for name, value in vars(row).items() if name != "_sa_instance_state"}
    with _named(conflicts or {}):
        insert_row(type(row), **values)


@cache
def _defaults(table: type[Base]) -> Sequence[tuple[str, Any]]:
    """The columns with a constant as their default."""
    columns = cast("Table", table.__table__).c
    return [
        (column.key, column.default.arg)
        for column in columns
        if isinstance(column.default, ScalarElementColumnDefault)
    ]


def insert_many(statement: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute an insert for thousands of rows with the same columns.

    The conversions are looked up once for all rows, which takes a quarter of SQLAlchemy's time.
    """
    if not rows:
        return
    connection = db.session.connection()
    dialect = connection.dialect
    table = cast("Table", statement.table)
    compiled = statement.compile(dialect=dialect, column_keys=list(rows[0]))
    names = compiled.positiontup or list(rows[0])
    convert = {
        name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names
    }
    columns = [
        [row[name] for row in rows]
        if (processor := convert[name]) is None
        else [processor(row[name]) for row in rows]
        for name in names
    ]
    lines = list(zip(*columns, strict=True))
    connection.exec_driver_sql(
        compiled.string,
        lines if compiled.positiontup else [dict(zip(names, line, strict=True)) for line in lines],
    )


def delete_oldest(moment: InstrumentedAttribute[datetime], before: datetime, *, limit: int) -> int:
    """Delete the oldest rows before a moment, by the index of their time; returns how many.

    Up to `limit`, and those of the same microsecond as the last of them.
    """
    oldest = select(moment).where(moment < before).order_by(moment).limit(limit).subquery()
    return count_changed(
        delete(moment.class_)
        .where(moment <= select(func.max(oldest.c[moment.key])).scalar_subquery())
        .execution_options(synchronize_session=False)
    )


def count_changed(statement: Update | Delete) -> int:
    """Execute a statement; returns how many rows it changed."""
    return cast("CursorResult[Any]", db.session.execute(statement)).rowcount


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, newest first; `next_cursor` tells where the next part begins, if any.

    A page of the feed of events is oldest first, and its cursor is a place.
    """

    items: Sequence[T]
    next_cursor: uuid.UUID | KeyPlace | DayPlace | MonthPlace | int | None


def paginate(
    query: Select[Any], id_column: Any, *, limit: int, cursor: uuid.UUID | None
) -> Page[Any]:
    """One page of `query`, newest first: the ids are UUIDv7, so their order is that of time."""
    if cursor is not None:
        query = query.where(id_column < cursor)
    rows = list(db.session.scalars(query.order_by(id_column.desc()).limit(limit + 1)))
    items = rows[:limit]
    return Page(items, items[-1].id if len(rows) > limit else None)


#: A row that is only shown: a named tuple of plain values under the names of their columns.
Shown = Any


def read_rows(statement: Select[*tuple[Any, ...]], **parameters: Any) -> Rows:
    """The plain rows of a statement, in the present transaction.

    In the polling thread they are of the latest commit, by a prepared read. Build the statement
    once: building it takes longer than executing it.
    """
    if not may_wait():
        # A PreparedReads, which is of a folder that knows the models.
        reads = current().reads
        plain = plain_rows(statement, reads.dialect)
        return Rows(plain, reads.read(plain.sql, plain.parameters(parameters)))
    connection = db.session.connection()
    plain = plain_rows(statement, connection.dialect)
    found = execute(connection, plain.sql, plain.parameters(parameters)).fetchall()
    return Rows(plain, found)


def page_statement(query: Select[Any], id_column: Column[Any], *, goes_on: bool) -> Select[Any]:
    """One page of plain rows of `query`, newest first, for `read_page`; build it once."""
    if goes_on:
        query = query.where(id_column < bindparam("cursor", type_=id_column.type))
    return query.order_by(id_column.desc()).limit(bindparam("most"))


def read_page(
    statement: Select[Any], *, limit: int, cursor: uuid.UUID | None, **parameters: Any
) -> Page[Shown]:
    """Read the page of a `page_statement`; its rows must have an `id`."""
    if cursor is not None:
        parameters["cursor"] = cursor
    rows = read_rows(statement, **parameters, most=limit + 1)
    items = rows[:limit]
    return Page(items, items[-1].id if len(rows) > limit else None)


def count_rows(query: Select[*tuple[Any, ...]]) -> int:
    """How many rows a query would find."""
    return db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
