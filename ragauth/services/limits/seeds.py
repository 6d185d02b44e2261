"""Seeds: counts that a store of counters does not know are read from the database.

Needed for a new day or month, for a limit that is new, and after a loss of the counters. What is
counted and not saved yet is added to what is in the database. Saving it first would make a key
check wait for the database's writers.
"""

import uuid
from collections.abc import Iterable, Sequence

from ragauth import clock
from ragauth.counters import ChangedRow, Counters, Tally, UsageRow
from ragauth.models.reads.usage import OfAccount, OfKey, RowName, UsageLookup, Used
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
        of_account = OfAccount(uuid.UUID(bytes=account), ENVIRONMENTS[environment])
        used = self._lookup.used_in_period(of_account, REQUESTS, month, _rows_of(REQUESTS, unsaved))
        self._counters.seed_month(account, environment, month, used)
        now_ms = clock.now_ns() // 1_000_000
        for tally in tallies:
            if tally.length_ms:
                continue
            is_accounts = tally.owner == account
            owner = of_account if is_accounts else OfKey(uuid.UUID(bytes=tally.owner))
            meter = tally.meter.decode()
            rows = _rows_of(meter, unsaved)
            used = self._lookup.used_in_period(owner, meter, tally.period, rows)
            self._counters.seed_tally(account, environment, tally, used, now_ms)


def _rows_of(meter: str, rows: Iterable[ChangedRow]) -> dict[RowName, Used]:
    """The totals of one meter; of requests their units."""
    found = {}
    for row in rows:
        name = RowName(uuid.UUID(bytes=row.key), _iso_day(row.day), row.source_id)
        if isinstance(row, UsageRow):
            if meter == REQUESTS:
                found[name] = Used(row.units, 0)
        elif row.meter == meter:
            found[name] = Used(row.amount, row.released)
    return found


def _iso_day(day: int) -> str:
    return f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"
