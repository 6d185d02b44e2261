"""The read of what an account or a key has used so far, for a counter store that does not know."""

import uuid
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, func, literal_column, or_, select

from ragauth.models.api_keys import ApiKey
from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.usage import MeterUsage, Usage
from ragauth.policy import REQUESTS


class RowName(NamedTuple):
    """Names a row of usage, of the one table or the other; `day` as in ISO 8601."""

    key_id: uuid.UUID
    day: str
    source: str


class Wanted(NamedTuple):
    """Whose use is wanted, of which meter, and from which day to which.

    With `is_of_key` the owner is a key, and those keys count that go on with its counts; else it is
    an account.
    """

    owner: uuid.UUID
    is_of_key: bool
    environment: str
    meter: str
    first_day: date
    last_day: date


# Totals that only grow: what was counted, and what reservations gave back.
Totals = tuple[int, int]


class UsageLookup:
    """Sums the use in the database over all counter stores."""

    def __init__(self, reads: PreparedReads) -> None:
        self._reads = reads
        kinds = [(of_key, of_meter) for of_key in (False, True) for of_meter in (False, True)]
        self._sums = {kind: reads.compile(_used(*kind, _sum_of)) for kind in kinds}
        self._rows = {kind: reads.compile(_used(*kind, _rows_of)) for kind in kinds}
        self._family_sql = reads.compile(_FAMILY)

    def family(self, key_id: uuid.UUID) -> set[uuid.UUID]:
        """The keys that count together with this one: it, and those that go on with its counts.

        Raises ExternalServiceUnavailable.
        """
        rows = self._reads.read(self._family_sql, {"owner": self._id(key_id)})
        return {key_id, *(_key_id(found) for (found,) in rows)}

    def used(self, wanted: Wanted, unsaved: Mapping[RowName, Totals]) -> int:
        """What was used; raises ExternalServiceUnavailable.

        `unsaved` are totals that may not be saved yet; if one is saved, the larger totals count.
        """
        kind = (wanted.is_of_key, wanted.meter != REQUESTS)
        is_sqlite = self._reads.is_sqlite
        parameters: dict[str, Any] = {
            "owner": self._id(wanted.owner),
            "environment": wanted.environment,
            "first_day": wanted.first_day.isoformat() if is_sqlite else wanted.first_day,
            "last_day": wanted.last_day.isoformat() if is_sqlite else wanted.last_day,
        }
        if kind[1]:
            parameters["meter"] = wanted.meter
        if not unsaved:
            [(counted, released)] = self._reads.read(self._sums[kind], parameters)
            return int(counted or 0) - int(released or 0)
        # One statement, so it sees each simultaneous save completely or not at all.
        totals = {
            RowName(_key_id(key_id), str(day), source): (counted, released)
            for key_id, day, source, counted, released in self._reads.read(
                self._rows[kind], parameters
            )
        }
        for name, (counted, released) in unsaved.items():
            known, known_released = totals.get(name, (0, 0))
            totals[name] = (max(counted, known), max(released, known_released))
        return sum(counted - released for counted, released in totals.values())

    def _id(self, identifier: uuid.UUID) -> Any:
        return identifier.hex if self._reads.is_sqlite else identifier


_FAMILY = select(ApiKey.id).where(
    or_(ApiKey.id == bindparam("owner"), ApiKey.counted_as == bindparam("owner"))
)
Columns = Callable[[Any, Any, Any], tuple[Any, ...]]


def _sum_of(_table: Any, counted: Any, released: Any) -> tuple[Any, ...]:
    return func.sum(counted), func.sum(released)


def _rows_of(table: Any, counted: Any, released: Any) -> tuple[Any, ...]:
    return table.key_id, table.day, table.source, counted, released


def _used(of_key: bool, of_meter: bool, columns: Columns) -> Select[*tuple[Any, ...]]:
    table: Any = MeterUsage if of_meter else Usage
    counted: Any = MeterUsage.amount if of_meter else Usage.units
    released: Any = MeterUsage.released if of_meter else literal_column("0")
    query = select(*columns(table, counted, released)).where(
        table.key_id.in_(_FAMILY) if of_key else table.account_id == bindparam("owner"),
        table.environment == bindparam("environment"),
        table.day.between(bindparam("first_day"), bindparam("last_day")),
    )
    return query.where(table.meter == bindparam("meter")) if of_meter else query


def _key_id(stored: str | uuid.UUID) -> uuid.UUID:
    return stored if isinstance(stored, uuid.UUID) else uuid.UUID(hex=stored)
