"""The read of a month's usage, for a counter store that does not know the month."""

import uuid
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select

from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.usage import Usage

_UNITS = select(func.sum(Usage.units)).where(
    Usage.account_id == bindparam("account_id"),
    Usage.environment == bindparam("environment"),
    Usage.day.between(bindparam("first_day"), bindparam("last_day")),
)


_ROWS = select(Usage.key_id, Usage.day, Usage.source, Usage.units).where(
    Usage.account_id == bindparam("account_id"),
    Usage.environment == bindparam("environment"),
    Usage.day.between(bindparam("first_day"), bindparam("last_day")),
)


class RowName(NamedTuple):
    """Names a row of usage; `day` as in ISO 8601."""

    key_id: uuid.UUID
    day: str
    source: str


class UsageLookup:
    """Sums the usage in the database over all counter stores."""

    def __init__(self, reads: PreparedReads) -> None:
        self._reads = reads
        self._sql = reads.compile(_UNITS)
        self._rows_sql = reads.compile(_ROWS)

    def month_units(
        self,
        account_id: uuid.UUID,
        environment: str,
        month: int,
        unsaved: Mapping[RowName, int],
    ) -> int:
        """The units of an account in a month (yyyymm); raises ExternalServiceUnavailable.

        `unsaved` are totals that may not be saved yet; if one is saved, the larger total counts.
        """
        first_day = date(month // 100, month % 100, 1)
        last_day = (first_day + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        is_sqlite = self._reads.is_sqlite
        parameters: dict[str, Any] = {
            "account_id": account_id.hex if is_sqlite else account_id,
            "environment": environment,
            "first_day": first_day.isoformat() if is_sqlite else first_day,
            "last_day": last_day.isoformat() if is_sqlite else last_day,
        }
        if not unsaved:
            return int(self._reads.read(self._sql, parameters)[0][0] or 0)
        # One statement, so it sees each simultaneous save completely or not at all.
        totals = {
            RowName(_key_id(key_id), str(day), source): units
            for key_id, day, source, units in self._reads.read(self._rows_sql, parameters)
        }
        for name, units in unsaved.items():
            totals[name] = max(units, totals.get(name, 0))
        return sum(totals.values())


def _key_id(stored: str | uuid.UUID) -> uuid.UUID:
    return stored if isinstance(stored, uuid.UUID) else uuid.UUID(hex=stored)
