"""Seeds: counts that a store of counters does not know are read from the database.

Needed for a new day or month, for a limit that is new, and after a loss of the counters. What is
counted and not saved yet is added to what is in the database. Saving it first would make a key
check wait for the database's writers.
"""

import uuid
from collections.abc import Sequence

from ragauth.counters import Counters, Tally, UsageRow
from ragauth.models.reads.usage import RowName, UsageLookup
from ragauth.security.key_format import LIVE, TEST

ENVIRONMENTS = (LIVE, TEST)
INDEX_OF = {name: index for index, name in enumerate(ENVIRONMENTS)}


class Seeder:
    """Starts counts in a store at what database and counters know together."""

    def __init__(self, counters: Counters, lookup: UsageLookup) -> None:
        self._counters = counters
        self._lookup = lookup

    def seed(self, account: bytes, environment: int, month: int, tallies: Sequence[Tally]) -> None:
        """Seed the account's month, and those of the tallies that belong to a period.

        Raises CountersUnavailable, ExternalServiceUnavailable.
        """
        unsaved = {
            RowName(uuid.UUID(bytes=row.key), _iso_day(row.day), row.source_id): row.units
            for row in self._counters.usage_to_seed(account)
            if isinstance(row, UsageRow)
            and row.environment == environment
            and row.day // 100 == month
        }
        units = self._lookup.month_units(
            uuid.UUID(bytes=account), ENVIRONMENTS[environment], month, unsaved
        )
        self._counters.seed_month(account, environment, month, units)


def _iso_day(day: int) -> str:
    return f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"
