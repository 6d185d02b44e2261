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
from ragauth.services.limits.applied import AppliedLimit

ENVIRONMENTS = (LIVE, TEST)
INDEX_OF = {name: index for index, name in enumerate(ENVIRONMENTS)}


class Seeder:
    """Starts counts in a store at what database and counters know together."""

    def __init__(self, counters: Counters, lookup: UsageLookup) -> None:
        self._counters = counters
        self._lookup = lookup

    def seed(
        self,
        account: bytes,
        environment: int,
        month: int,
        told: Sequence[AppliedLimit],
        tallies: Sequence[Tally],
    ) -> None:
        """Seed the account's month (yyyymm), and the tallies that belong to a period.

        There is a limit for each tally. The store keeps what it knows. Raises CountersUnavailable,
        ExternalServiceUnavailable.
        """
        unsaved = self._unsaved(account, environment)
        of_account = OfAccount(uuid.UUID(bytes=account), ENVIRONMENTS[environment])
        used = self._lookup.used_in_period(of_account, REQUESTS, month, _rows_of(REQUESTS, unsaved))
        self._counters.seed_month(account, environment, month, used)
        now_ms = clock.now_ns() // 1_000_000
        for one, tally in zip(told, tallies, strict=True):
            if tally.length_ms:
                continue
            is_accounts = tally.owner == account
            owner = of_account if is_accounts else OfKey(uuid.UUID(bytes=tally.owner))
            meter = tally.meter.decode()
            rows = _rows_of(meter, unsaved)
            used = self._lookup.used_in_period(owner, meter, tally.period, rows)
            self._counters.seed_tally(account, environment, tally, used + one.ahead, now_ms)

    def requests_of(self, account: bytes, environment: int, key: bytes) -> int:
        """What a key, and those that count as it, have used of requests in all.

        Raises CountersUnavailable, ExternalServiceUnavailable.
        """
        rows = _rows_of(REQUESTS, self._unsaved(account, environment))
        return self._lookup.used_in_period(OfKey(uuid.UUID(bytes=key)), REQUESTS, 0, rows)

    def _unsaved(self, account: bytes, environment: int) -> list[ChangedRow]:
        rows = self._counters.usage_to_seed(account)
        return [row for row in rows if row.environment == environment]


def _rows_of(meter: str, rows: Iterable[ChangedRow]) -> dict[RowName, Used]:
    """The totals of one meter; of requests their units."""
    found = {}
    for row in rows:
        key_id, account_id = uuid.UUID(bytes=row.key), uuid.UUID(bytes=row.account)
        name = RowName(key_id, _iso_day(row.day), row.source_id, account_id)
        if isinstance(row, UsageRow):
            if meter == REQUESTS:
                found[name] = Used(row.units, 0)
        elif row.meter == meter:
            found[name] = Used(row.amount, row.released)
    return found


def _iso_day(day: int) -> str:
    return f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"
