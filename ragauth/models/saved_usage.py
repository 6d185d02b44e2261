"""Saves usage in bulk, without the ORM: thousands of totals in two statements of the driver.

It is the one writer of `usage`, `meter_usage` and `api_keys.last_used_at`. SQLAlchemy's own bulk
form costs several times what the database does. SQLAlchemy still writes the names of tables and
columns, so that a renamed one cannot break it silently.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ClauseElement,
    ColumnElement,
    Connection,
    DateTime,
    Executable,
    String,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite

from ragauth.extensions import db
from ragauth.models.api_keys import ApiKey
from ragauth.models.usage import MeterUsage, Usage


class _Upsert(NamedTuple):
    """A table, its columns in the order of a row, the unique ones, and the two totals."""

    table: Table
    columns: tuple[str, ...]
    key: tuple[str, ...]
    totals: tuple[str, str]


_USAGE = _Upsert(
    cast("Table", Usage.__table__),
    ("key_id", "day", "source", "account_id", "environment", "requests", "units"),
    ("key_id", "day", "source"),
    ("requests", "units"),
)
_METERS = _Upsert(
    cast("Table", MeterUsage.__table__),
    ("key_id", "day", "source", "meter", "account_id", "environment", "amount", "released"),
    ("key_id", "day", "source", "meter"),
    ("amount", "released"),
)
_KEYS = cast("Table", ApiKey.__table__)
# Between the two names; a source is 32 characters of hex.
_OF_OTHER_ACCOUNT = "-"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as SQLite stores it: UTC, without a zone


class Total(NamedTuple):
    """What one store has counted for one key on one day, and when it counted last.

    Ids in hexadecimal; `last_used_ms` is Unix milliseconds.
    """

    key_id: str
    day: date
    source: str
    account_id: str
    environment: str
    requests: int
    units: int
    last_used_ms: int


class TotalOfMeter(NamedTuple):
    """What one store has counted of one meter for one key on one day, as `Total`."""

    key_id: str
    day: date
    source: str
    meter: str
    account_id: str
    environment: str
    amount: int
    released: int


def save_totals(totals: Iterable[Total]) -> None:
    """Raise the stored totals to these where they are larger; the keys' `last_used_at` too.

    In the present transaction. Totals are absolute: saving one twice, late, or in two processes at
    once changes nothing.
    """
    # Always in the same order, so that two processes that save the same rows cannot deadlock.
    ordered = sorted(totals)
    if not ordered:
        return
    connection = db.session.connection()
    save = _save_in_sqlite if connection.dialect.name == "sqlite" else _save_in_postgres
    save(connection, ordered)


def source_of(saved: str) -> str:
    """The store whose total a row is; in rows of a key that was moved, the account follows."""
    return saved.partition(_OF_OTHER_ACCOUNT)[0]


def save_totals_of_meters(totals: Iterable[TotalOfMeter]) -> None:
    """Raise the stored totals of meters to these where they are larger, as `save_totals`."""
    ordered = sorted(totals)
    if not ordered:
        return
    connection = db.session.connection()
    _raise_totals(connection, _METERS, ordered)


def _raise_totals(connection: Connection, of: _Upsert, ordered: Sequence[tuple[Any, ...]]) -> None:
    """Raise the totals of sorted rows, each with its columns in order.

    A key that was moved may have counted for two accounts in one store and day. The row is that of
    the account which was saved first; the other's is told apart by its source.
    """
    length = len(of.key)
    # One statement may not raise a row twice. Sorted, they are neighbours.
    again = [row for before, row in pairwise(ordered) if before[:length] == row[:length]]
    if again:
        _raise_totals(connection, of, sorted(set(ordered) - set(again)))
        _raise_totals(connection, of, again)
    elif _upsert(connection, of, ordered) < len(ordered) and (
        beside := _rows_beside(connection, of, ordered)
    ):
        _upsert(connection, of, beside)


def _rows_beside(
    connection: Connection, of: _Upsert, ordered: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Those rows whose place belongs to another account, each under another source."""
    account, source = of.columns.index("account_id"), of.columns.index("source")
    table, length = of.table.c, len(of.key)
    found = connection.execute(
        select(*(table[name] for name in of.key), table.account_id).where(
            table.key_id.in_({UUID(hex=row[0]) for row in ordered}),
            table.day.in_({row[1] for row in ordered}),
        )
    )
    owners = {(key_id.hex, *rest): owner.hex for key_id, *rest, owner in found}
    return [
        (*row[:source], f"{row[source]}{_OF_OTHER_ACCOUNT}{row[account][:31]}", *row[source + 1 :])
        for row in ordered
        if owners[row[:length]] != row[account]
    ]


def _upsert(connection: Connection, of: _Upsert, ordered: Sequence[tuple[Any, ...]]) -> int:
    """Returns how many rows were written: those whose account is another's are not."""
    if connection.dialect.name == "sqlite":
        days = {day: day.isoformat() for day in {row[1] for row in ordered}}
        width = len(of.columns)
        rows = [(key_id, days[day], *rest)[:width] for key_id, day, *rest in ordered]
        return connection.exec_driver_sql(_sqlite_upsert(of), rows).rowcount
    return connection.execute(_postgres_upsert(of), _as_columns(of, ordered)).rowcount


def _latest_uses(ordered: Sequence[Total]) -> dict[str, int]:
    """The last use of each key, in the order of ids."""
    latest: dict[str, int] = {}
    for total in ordered:
        if total.last_used_ms > latest.get(total.key_id, -1):
            latest[total.key_id] = total.last_used_ms
    return latest


def _save_in_sqlite(connection: Connection, ordered: Sequence[Total]) -> None:
    _raise_totals(connection, _USAGE, ordered)
    connection.exec_driver_sql(
        _sqlite_touch(),
        [
            (moment, key_id, moment)
            for key_id, ms in _latest_uses(ordered).items()
            for moment in (_sqlite_moment(ms),)
        ],
    )


@cache
def _sqlite_upsert(of: _Upsert) -> str:
    """With positional parameters, in the order of the columns."""
    insert = sqlite.insert(of.table).values({name: bindparam(name) for name in of.columns})
    upsert = insert.on_conflict_do_update(
        index_elements=of.key,
        set_={name: func.max(of.table.c[name], insert.excluded[name]) for name in of.totals},
        where=of.table.c.account_id == insert.excluded.account_id,
    )
    return _positional(upsert, of.columns)


@cache
def _sqlite_touch() -> str:
    """With positional parameters: moment, key, moment."""
    touch = (
        update(_KEYS)
        .where(
            _KEYS.c.id == bindparam("key"),
            _KEYS.c.last_used_at.is_(None) | (_KEYS.c.last_used_at < bindparam("at")),
        )
        .values(last_used_at=bindparam("used_at"))
    )
    return _positional(touch, ("used_at", "key", "at"))


def _positional(statement: ClauseElement, order: tuple[str, ...]) -> str:
    compiled = statement.compile(dialect=sqlite.dialect())
    if tuple(compiled.positiontup or ()) != order:  # type: ignore[attr-defined]
        raise RuntimeError(f"the parameters are in another order: {compiled}")
    return str(compiled)


def _sqlite_moment(ms: int) -> str:
    """A time in the form in which SQLAlchemy stores it in SQLite."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(" ", "microseconds")


def _save_in_postgres(connection: Connection, ordered: Sequence[Total]) -> None:
    _raise_totals(connection, _USAGE, ordered)
    latest = _latest_uses(ordered)
    moments = [datetime.fromtimestamp(ms / 1000, UTC) for ms in latest.values()]
    connection.execute(_postgres_touch(), {"keys": list(latest), "moments": moments})


def _as_columns(of: _Upsert, ordered: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Columns as arrays, so that one message has all rows."""
    columns = zip(*ordered, strict=True)
    return dict(zip(of.columns, map(list, columns), strict=False))


@cache
def _postgres_upsert(of: _Upsert) -> Executable:
    # Ids are sent as text, which costs the driver less.
    arrays = [
        _array(name, Text(), Uuid())
        if isinstance(column.type, Uuid)
        else _array(name, Text() if isinstance(column.type, String) else column.type)
        for name in of.columns
        for column in (of.table.c[name],)
    ]
    totals = func.unnest(*arrays).table_valued(*of.columns).render_derived(name="totals")
    insert = postgresql.insert(of.table).from_select(of.columns, select(*totals.c))
    upsert = insert.on_conflict_do_update(
        index_elements=of.key,
        set_={name: func.greatest(of.table.c[name], insert.excluded[name]) for name in of.totals},
        where=of.table.c.account_id == insert.excluded.account_id,
    )
    # Told for an INSERT only when asked for.
    return upsert.execution_options(preserve_rowcount=True)


@cache
def _postgres_touch() -> Executable:
    uses = (
        func.unnest(_array("keys", Text(), Uuid()), _array("moments", DateTime(timezone=True)))
        .table_valued("key_id", "moment")
        .render_derived(name="uses")
    )
    # Lock the keys in order before the update: a joining UPDATE locks rows in an order of its own,
    # and could deadlock with another.
    locked = (
        select(_KEYS.c.id, uses.c.moment)
        .join(uses, _KEYS.c.id == uses.c.key_id)
        .where(_KEYS.c.last_used_at.is_(None) | (_KEYS.c.last_used_at < uses.c.moment))
        .order_by(_KEYS.c.id)
        .with_for_update(key_share=True, of=_KEYS)
        .cte("locked")
    )
    return update(_KEYS).where(_KEYS.c.id == locked.c.id).values(last_used_at=locked.c.moment)


def _array(name: str, kind: Any, stored_as: Any = None) -> ColumnElement[Any]:
    """A list as a parameter."""
    parameter = bindparam(name, type_=ARRAY(kind))
    return parameter if stored_as is None else sql_cast(parameter, ARRAY(stored_as))
