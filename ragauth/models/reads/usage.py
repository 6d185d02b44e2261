"""The one read of a month's usage, asked for a counter store that does not know the month."""

import uuid
from datetime import date, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from ragauth.models.reads.prepared import PreparedReads
from ragauth.models.usage import Usage

_UNITS = select(func.sum(Usage.units)).where(
    Usage.account_id == bindparam("account_id"),
    Usage.environment == bindparam("environment"),
    Usage.day.between(bindparam("first_day"), bindparam("last_day")),
)


class UsageLookup:
    """Sums what the database knows, over all counter stores."""

    def __init__(self, reads: PreparedReads) -> None:
        self._reads = reads
        self._sql = reads.compile(_UNITS)

    def month_units(self, account_id: uuid.UUID, environment: str, month: int) -> int:
        """The units of an account in a month (yyyymm); raises ExternalServiceUnavailable."""
        first_day = date(month // 100, month % 100, 1)
        last_day = (first_day + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        is_sqlite = self._reads.is_sqlite
        parameters: dict[str, Any] = {
            "account_id": account_id.hex if is_sqlite else account_id,
            "environment": environment,
            "first_day": first_day.isoformat() if is_sqlite else first_day,
            "last_day": last_day.isoformat() if is_sqlite else last_day,
        }
        return int(self._reads.read(self._sql, parameters)[0][0] or 0)
