"""Usage: from the counters to the database in absolute totals, and back out for charts."""

import logging
import os
import uuid
from datetime import date, timedelta
from typing import Literal, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from ragauth import clock, transaction
from ragauth.counters import Counters, CountersUnavailable, UsageRow
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.models import usage as usage_rows
from ragauth.models.base import Page
from ragauth.models.usage import DayOfKey, Total, UsageOfAccount
from ragauth.services.limits.limits import ENVIRONMENTS, current_limits

log = logging.getLogger("ragauth")

_BATCH = 1_000
_MAX_BATCHES = 50
_LEASE = b"usage"
_LEASE_MS = 5_000


def save_usage(counters: Counters) -> int:
    """Save what was counted since the last time; returns how many totals.

    Absolute totals: repeating it, or doing it in two processes at once, changes nothing. Bounded,
    for under load there are always new ones.
    """
    saved = 0
    for _ in range(_MAX_BATCHES):
        changed = counters.changed_usage(_BATCH)
        if changed:
            with transaction.unit_of_work():
                usage_rows.save_totals([_to_total(row) for row in changed])
            # After the commit: a crash in between saves them once more, which changes nothing.
            counters.usage_saved(changed)
            saved += len(changed)
        if len(changed) < _BATCH:
            break
    return saved


def save_usage_in_turn(counters: Counters) -> None:
    """Save usage if this process holds the lease: one worker at a time does."""
    holder = os.getpid().to_bytes(8, "big")
    now_ms = clock.now_ns() // 1_000_000
    if counters.acquire_lease(_LEASE, holder, _LEASE_MS, now_ms):
        save_usage(counters)
        counters.prune(now_ms)


def bring_up_to_date() -> None:
    """Save what was counted by now. Where that fails, use what was saved last.

    A database that is full or read-only is still read.
    """
    try:
        save_usage(current_limits().counters)
    except CountersUnavailable as error:
        log.warning("usage may lag behind", extra={"cause": type(error).__name__})
    except SQLAlchemyError as error:
        if fault_of(error) in (None, DatabaseFault.UNREACHABLE):
            raise
        log.warning("usage may lag behind", extra={"cause": type(error).__name__})


def list_usage(
    *,
    account_id: uuid.UUID | None,
    first_day: date | None,
    last_day: date | None,
    limit: int,
    cursor: tuple[date, uuid.UUID] | None,
) -> Page[DayOfKey]:
    """A row a day and key, the newest day first; without bounds, those of the present month.

    What is counted by now is saved first, so that nothing is missing.
    """
    bring_up_to_date()
    today = clock.now().date()
    with transaction.read_only():
        found = usage_rows.list_days(
            account_id=account_id,
            first_day=first_day or (last_day or today).replace(day=1),
            last_day=last_day or max(today, first_day or today),
            before=cursor,
            limit=limit + 1,
        )
    items = found[:limit]
    return Page(items, (items[-1].day, items[-1].key_id) if len(found) > limit else None)


class TopAccounts(NamedTuple):
    """Who used most, first, and how many used anything."""

    accounts: list[UsageOfAccount]
    used: int


def list_top_accounts(
    *, by: Literal["requests", "units"], days: int, limit: int | None
) -> TopAccounts:
    """In the last days, today included; of live and test keys together. None is all."""
    bring_up_to_date()
    today = clock.now().date()
    first_day = today - timedelta(days=days - 1)
    with transaction.read_only():
        return TopAccounts(
            usage_rows.list_top_accounts(by=by, first_day=first_day, last_day=today, limit=limit),
            usage_rows.count_used_accounts(first_day=first_day, last_day=today),
        )


def _to_total(row: UsageRow) -> Total:
    return Total(
        source=row.source_id,
        account_id=uuid.UUID(bytes=row.account),
        key_id=uuid.UUID(bytes=row.key),
        environment=ENVIRONMENTS[row.environment],
        day=date(row.day // 10_000, row.day // 100 % 100, row.day % 100),
        requests=row.requests,
        units=row.units,
        last_used_at=clock.from_ms(row.last_used_ms),
    )
