"""The read of what was used in a period, for a counter store that does not know the period."""

import uuid
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    String,
    Uuid,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    union,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from ragauth.models.api_keys import ApiKey
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.saved_usage import source_of
from ragauth.models.usage import MeterUsage, Usage
from ragauth.policy import REQUESTS

_DAY = timedelta(days=1)
_NO_KEY = cast(null(), Uuid).label("key_id")
_NO_DAY = cast(null(), Date).label("day")
_NO_SOURCE = cast(null(), String).label("source")
_NO_ACCOUNT = cast(null(), Uuid).label("account_id")
_ZERO: ColumnElement[int] = literal_column("0")


class RowName(NamedTuple):
    """Names a row of usage; `day` as in ISO 8601.

    A key that was moved may have rows of several accounts.
    """

    key_id: uuid.UUID
    day: str
    source: str
    account_id: uuid.UUID


class Used(NamedTuple):
    """Two totals of a row, which only grow: `amount` - `released` was used."""

    amount: int
    released: int


class OfAccount(NamedTuple):
    """All keys of an account in an environment."""

    account_id: uuid.UUID
    environment: str


class OfKey(NamedTuple):
    """A key and all that count as this one, because they replaced it or one another."""

    key_id: uuid.UUID


def _used(
    table: type[Usage | MeterUsage],
    amount: InstrumentedAttribute[int],
    released: ColumnElement[Any],
    owner: tuple[ColumnElement[bool], ...],
) -> list[Select[*tuple[Any, ...]]]:
    """The sum before `rows_from`, and each row from that day on.

    Both in one statement, so that it sees each simultaneous save completely or not at all. Rows are
    needed only of the days that have unsaved ones.
    """
    sums = select(
        _NO_KEY,
        _NO_DAY,
        _NO_SOURCE,
        _NO_ACCOUNT,
        func.sum(amount).label("amount"),
        func.sum(released).label("released"),
    ).where(*owner, table.day >= bindparam("first_day"), table.day < bindparam("rows_from"))
    rows = select(
        table.key_id,
        table.day,
        table.source,
        table.account_id,
        amount.label("amount"),
        released.label("released"),
    ).where(*owner, table.day >= bindparam("rows_from"), table.day <= bindparam("last_day"))
    return [sums, rows]


def _statement(parts: list[Select[*tuple[Any, ...]]]) -> Select[*tuple[Any, ...]]:
    return select(*union_all(*parts).subquery("used").c)


def _units_of(*owner: ColumnElement[bool]) -> list[Select[*tuple[Any, ...]]]:
    return _used(Usage, Usage.units, _ZERO, owner)


def _meter_of(*owner: ColumnElement[bool]) -> list[Select[*tuple[Any, ...]]]:
    of_meter = (*owner, MeterUsage.meter == bindparam("meter"))
    return _used(MeterUsage, MeterUsage.amount, MeterUsage.released.expression, of_meter)


def _of_account(table: type[Usage | MeterUsage]) -> tuple[ColumnElement[bool], ...]:
    return (
        table.account_id == bindparam("account_id"),
        table.environment == bindparam("environment"),
    )


_LINEAGE = union(
    select(ApiKey.id).where(ApiKey.id == bindparam("key_id")),
    select(ApiKey.id).where(ApiKey.counted_as == bindparam("key_id")),
).cte("lineage")
# Which keys there are: unsaved rows of others do not count.
_KEYS_OF_LINEAGE = select(
    _LINEAGE.c.id, _NO_DAY, _NO_SOURCE, _NO_ACCOUNT, _ZERO.label("amount"), _ZERO.label("released")
)
_IN_LINEAGE = select(_LINEAGE.c.id)

_UNITS_OF_ACCOUNT = _statement(_units_of(*_of_account(Usage)))
_METER_OF_ACCOUNT = _statement(_meter_of(*_of_account(MeterUsage)))
_UNITS_OF_KEY = _statement([*_units_of(Usage.key_id.in_(_IN_LINEAGE)), _KEYS_OF_LINEAGE])
_METER_OF_KEY = _statement([*_meter_of(MeterUsage.key_id.in_(_IN_LINEAGE)), _KEYS_OF_LINEAGE])


class UsageLookup:
    """Sums the usage in the database over all counter stores."""

    def __init__(self, reads: PreparedReads) -> None:
        self._reads = reads
        self._sql = {
            (OfAccount, True): reads.compile(_UNITS_OF_ACCOUNT),
            (OfAccount, False): reads.compile(_METER_OF_ACCOUNT),
            (OfKey, True): reads.compile(_UNITS_OF_KEY),
            (OfKey, False): reads.compile(_METER_OF_KEY),
        }

    def used_in_period(
        self, owner: OfAccount | OfKey, meter: str, period: int, unsaved: Mapping[RowName, Used]
    ) -> int:
        """What was used of a meter in a day (yyyymmdd), a month (yyyymm) or in total (0).

        Of `requests` it is their units. `unsaved` are totals of this meter and environment that may
        not be saved yet; if one is saved, the larger of each total counts. Those of other days, or
        of keys that are not the owner's, do not count. Raises ExternalServiceUnavailable.
        """
        first_day, last_day = _days_of(period)
        of_period = {
            name: used
            for name, used in unsaved.items()
            if first_day.isoformat() <= name.day <= last_day.isoformat()
        }
        unsaved_from = min((date.fromisoformat(name.day) for name in of_period), default=None)
        # After the last day there is none.
        rows_from = unsaved_from or (last_day if last_day == date.max else last_day + _DAY)
        days = {"first_day": first_day, "last_day": last_day, "rows_from": rows_from}
        parameters: dict[str, Any] = {
            **owner._asdict(),
            **days,
            **({} if meter == REQUESTS else {"meter": meter}),
        }
        if self._reads.is_sqlite:
            parameters = {name: _as_in_sqlite(value) for name, value in parameters.items()}
        sql = self._sql[type(owner), meter == REQUESTS]
        return _sum(self._reads.read(sql, parameters), owner, of_period)


def _sum(found: Any, owner: OfAccount | OfKey, unsaved: Mapping[RowName, Used]) -> int:
    """Add up rows and sums, with unsaved rows of the owner's keys in place of smaller ones."""
    before = 0
    keys: set[uuid.UUID] = set()
    totals: dict[RowName, Used] = {}
    for key_id, day, source, account_id, amount, released in found:
        if key_id is None:
            before += int(amount or 0) - int(released or 0)
        elif source is None:
            keys.add(_uuid(key_id))
        else:
            name = RowName(_uuid(key_id), str(day), source_of(source), _uuid(account_id))
            totals[name] = Used(int(amount), int(released))
    for name, used in unsaved.items():
        if isinstance(owner, OfAccount) or name.key_id in keys:
            saved = totals.get(name, Used(0, 0))
            totals[name] = Used(*map(max, saved, used))
    return before + sum(used.amount - used.released for used in totals.values())


def _days_of(period: int) -> tuple[date, date]:
    """The first and the last day of a day, a month, or of all time (0)."""
    if period == 0:
        return date.min, date.max
    if period > 999_999:
        day = date(period // 10_000, period // 100 % 100, period % 100)
        return day, day
    first_day = date(period // 100, period % 100, 1)
    return first_day, (first_day + timedelta(days=31)).replace(day=1) - _DAY


def _as_in_sqlite(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    return value.isoformat() if isinstance(value, date) else value


def _uuid(stored: str | uuid.UUID) -> uuid.UUID:
    return stored if isinstance(stored, uuid.UUID) else uuid.UUID(hex=stored)
