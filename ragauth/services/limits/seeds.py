"""Seeds: counts that a store of counters does not know are read from the database.

Needed for a new day or month, for a limit that is new, and after a loss of the counters. What is
counted and not saved yet is added to what is in the database. Saving it first would make a key
check wait for the database's writers.
"""

import uuid
from collections.abc import Sequence
from datetime import date, timedelta

from ragauth import clock
from ragauth.counters import ChangedRow, Counters, Tally, UsageRow
from ragauth.models.reads.usage import RowName, Totals, UsageLookup, Wanted
from ragauth.policy import REQUESTS
from ragauth.security.key_format import LIVE, TEST

ENVIRONMENTS = (LIVE, TEST)
INDEX_OF = {name: index for index, name in enumerate(ENVIRONMENTS)}


class Seeder:
    """Starts counts in a store at what database and counters know together."""

    def __init__(self, counters: Counters, lookup: UsageLookup) -> None:
        self._counters = counters
        self._lookup = lookup

    def seed(self, account: bytes, environment: int, month: int, tallies: Sequence[Tally]) -> None:
        """Seed the account's month (yyyymm), and the tallies that belong to a period.

        The store keeps what it knows. Raises CountersUnavailable, ExternalServiceUnavailable.
        """
        unsaved = [
            row for row in self._counters.usage_to_seed(account) if row.environment == environment
        ]
        owner = uuid.UUID(bytes=account)
        used = self._used(owner, None, environment, REQUESTS, month, unsaved)
        self._counters.seed_month(account, environment, month, used)
        now_ms = clock.now_ns() // 1_000_000
        for tally in tallies:
            if tally.length_ms:
                continue
            key_id = None if tally.owner == account else uuid.UUID(bytes=tally.owner)
            meter = tally.meter.decode()
            used = self._used(owner, key_id, environment, meter, tally.period, unsaved)
            self._counters.seed_tally(account, environment, tally, used, now_ms)

    def _used(
        self,
        account_id: uuid.UUID,
        key_id: uuid.UUID | None,
        environment: int,
        meter: str,
        period: int,
        unsaved: Sequence[ChangedRow],
    ) -> int:
        first_day, last_day = _days_of(period)
        keys = None if key_id is None else self._lookup.family(key_id)
        totals: dict[RowName, Totals] = {}
        for row in unsaved:
            day = _to_date(row.day)
            name = RowName(uuid.UUID(bytes=row.key), day.isoformat(), row.source_id)
            if first_day <= day <= last_day and (keys is None or name.key_id in keys):
                if isinstance(row, UsageRow):
                    if meter == REQUESTS:
                        totals[name] = (row.units, 0)
                elif row.meter == meter:
                    totals[name] = (row.amount, row.released)
        wanted = Wanted(
            account_id if key_id is None else key_id,
            key_id is not None,
            ENVIRONMENTS[environment],
            meter,
            first_day,
            last_day,
        )
        return self._lookup.used(wanted, totals)


def _days_of(period: int) -> tuple[date, date]:
    """The first and the last day of a period: a day (yyyymmdd), a month (yyyymm), 0 for all."""
    if period == 0:
        return date.min, date.max
    if period > 999_999:
        day = _to_date(period)
        return day, day
    first_day = date(period // 100, period % 100, 1)
    return first_day, (first_day + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _to_date(day: int) -> date:
    return date(day // 10_000, day // 100 % 100, day % 100)
