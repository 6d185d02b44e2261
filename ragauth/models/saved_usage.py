"""Saves usage in bulk, without the ORM: thousands of totals in two statements of the driver.

It is the one writer of `usage` and of `api_keys.last_used_at`. SQLAlchemy's own bulk form costs
several times what the database does. SQLAlchemy still writes the names of tables and columns, so
that a renamed one cannot break it silently.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Executable,
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
from ragauth.models.usage import Usage

_COUNTED = ("key_id", "day", "source", "account_id", "environment", "requests", "units")
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


def _latest_uses(ordered: Sequence[Total]) -> dict[str, int]:
    """The last use of each key, in the order of ids."""
    latest: dict[str, int] = {}
    for total in ordered:
        if total.last_used_ms > latest.get(total.key_id, -1):
            latest[total.key_id] = total.last_used_ms
    return latest


def _save_in_sqlite(connection: Connection, ordered: Sequence[Total]) -> None:
    upsert, touch = _sqlite_statements()
    days = {day: day.isoformat() for day in {total.day for total in ordered}}
    connection.exec_driver_sql(
        upsert,
        [
            (key_id, days[day], source, account_id, environment, requests, units)
            for key_id, day, source, account_id, environment, requests, units, _used in ordered
        ],
    )
    connection.exec_driver_sql(
        touch,
        [
            (moment, key_id, moment)
            for key_id, ms in _latest_uses(ordered).items()
            for moment in (_sqlite_moment(ms),)
        ],
    )


@cache
def _sqlite_statements() -> tuple[str, str]:
    """Both with positional parameters: `_COUNTED`; and moment, key, moment."""
    table, keys = _tables()
    insert = sqlite.insert(table).values({name: bindparam(name) for name in _COUNTED})
    upsert = insert.on_conflict_do_update(
        index_elements=["key_id", "day", "source"],
        set_={
            name: func.max(table.c[name], insert.excluded[name]) for name in ("requests", "units")
        },
    )
    touch = (
        update(keys)
        .where(
            keys.c.id == bindparam("key"),
            keys.c.last_used_at.is_(None) | (keys.c.last_used_at < bindparam("at")),
        )
        .values(last_used_at=bindparam("used_at"))
    )
    dialect = sqlite.dialect()
    texts = []
    for statement, order in ((upsert, _COUNTED), (touch, ("used_at", "key", "at"))):
        compiled = statement.compile(dialect=dialect)
        if tuple(compiled.positiontup or ()) != order:
            raise RuntimeError(f"the parameters are in another order: {compiled.positiontup}")
        texts.append(str(compiled))
    return texts[0], texts[1]


def _sqlite_moment(ms: int) -> str:
    """A time in the form in which SQLAlchemy stores it in SQLite."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(" ", "microseconds")


def _save_in_postgres(connection: Connection, ordered: Sequence[Total]) -> None:
    """Send columns as arrays, so that one message has all rows."""
    upsert, touch = _postgres_statements()
    columns = zip(*ordered, strict=True)
    connection.execute(upsert, dict(zip((*_COUNTED, "_"), map(list, columns), strict=True)))
    latest = _latest_uses(ordered)
    moments = [datetime.fromtimestamp(ms / 1000, UTC) for ms in latest.values()]
    connection.execute(touch, {"keys": list(latest), "moments": moments})


@cache
def _postgres_statements() -> tuple[Executable, Executable]:
    table, keys = _tables()
    totals = (
        func.unnest(
            _array("key_id", Text(), Uuid()),
            _array("day", Date()),
            _array("source", Text()),
            _array("account_id", Text(), Uuid()),
            _array("environment", Text()),
            _array("requests", BigInteger()),
            _array("units", BigInteger()),
        )
        .table_valued(*_COUNTED)
        .render_derived(name="totals")
    )
    insert = postgresql.insert(table).from_select(_COUNTED, select(*totals.c))
    upsert = insert.on_conflict_do_update(
        index_elements=["key_id", "day", "source"],
        set_={
            name: func.greatest(table.c[name], insert.excluded[name])
            for name in ("requests", "units")
        },
    )
    uses = (
        func.unnest(_array("keys", Text(), Uuid()), _array("moments", DateTime(timezone=True)))
        .table_valued("key_id", "moment")
        .render_derived(name="uses")
    )
    # Lock the keys in order before the update: a joining UPDATE locks rows in an order of its own,
    # and could deadlock with another.
    locked = (
        select(keys.c.id, uses.c.moment)
        .join(uses, keys.c.id == uses.c.key_id)
        .where(keys.c.last_used_at.is_(None) | (keys.c.last_used_at < uses.c.moment))
        .order_by(keys.c.id)
        .with_for_update(key_share=True, of=keys)
        .cte("locked")
    )
    touch = update(keys).where(keys.c.id == locked.c.id).values(last_used_at=locked.c.moment)
    return upsert, touch


def _array(name: str, kind: Any, stored_as: Any = None) -> ColumnElement[Any]:
    """A list as a parameter. Ids are sent as text, which costs the driver less."""
    parameter = bindparam(name, type_=ARRAY(kind))
    return parameter if stored_as is None else sql_cast(parameter, ARRAY(stored_as))


def _tables() -> tuple[Table, Table]:
    return cast("Table", Usage.__table__), cast("Table", ApiKey.__table__)
