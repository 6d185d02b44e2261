"""Usage: saved from the counters to the database as absolute totals, and listed for charts."""

import logging
import os
import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from sys import maxsize
from typing import Any, Literal, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from ragauth import clock, transaction
from ragauth.counters import ChangedRow, Counters, CountersUnavailable, MeterRow, UsageRow
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.deadlines import may_wait, require_thread
from ragauth.extensions import current
from ragauth.models import meter_totals, usage_pages
from ragauth.models import usage as usage_rows
from ragauth.models.base import Page
from ragauth.models.saved_usage import (
    Total,
    TotalOfMeter,
    save_totals,
    save_totals_of_meters,
)
from ragauth.models.usage import UsageOfAccount
from ragauth.models.usage_pages import place_of
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.seeds import ENVIRONMENTS

log = logging.getLogger("ragauth")

# Rows of one transaction: they are in memory together, and other writers wait for all of them.
_BATCH = 2_000
_MAX_BATCHES = 100
_LEASE = b"usage"
# Longer than the time between two turns, so a living holder keeps the lease. It ends soon after its
# holder died.
_LEASE_MS = 15_000
_SWEEPS = 10
_READERS_WAIT_MS = 500
# A year, together with the month that the span ends in.
_MONTHS_BEFORE = 11

GroupBy = Literal["day", "month"]
#: Tells owners after these rows were saved; False if that must be tried again.
Tell = Callable[[Sequence[ChangedRow]], bool]


def save_usage(counters: Counters, *, wait_ms: int | None = None, tell: Tell | None = None) -> int:
    """Save what was counted since the last time; returns how many totals.

    `wait_ms` is as `transaction.unit_of_work` has it. `tell` tells owners of limits that are nearly
    used up; by default it looks at each account that has used anything.

    Absolute totals: repeating it, or doing it in two processes at once, changes nothing. Bounded,
    for under load there are always new ones.
    """
    saved = 0
    for _ in range(_MAX_BATCHES):
        changed = counters.changed_usage(_BATCH)
        saved += len(changed)
        is_done = _save(counters, changed, wait_ms=wait_ms, tell=tell)
        # Rows that could not be told of stay marked: they would be read again and again.
        if not is_done or len(changed) < _BATCH:
            break
    return saved


def save_usage_in_turn(counters: Counters) -> None:
    """Save usage if this process holds the lease: one process of a host at a time does."""
    now_ms = clock.now_ns() // 1_000_000
    if counters.acquire_lease(_LEASE, _holder(), _LEASE_MS, now_ms):
        notices = current().limit_notices
        save_usage(counters, tell=notices.tell_in_turn)
        notices.tell_in_turn(())
        for _ in range(_SWEEPS):
            if not counters.prune(now_ms):
                break


def save_last_usage(counters: Counters) -> None:
    """Save at the end of a process, also if another one has the turn.

    That one may not have seen this process's last requests.
    """
    save_usage(counters)
    current().limit_notices.tell_left_out()


def give_turn_away(counters: Counters) -> None:
    """Release the lease at the end of this process, so that another gets it at once."""
    now_ms = clock.now_ns() // 1_000_000
    if counters.acquire_lease(_LEASE, _holder(), _LEASE_MS, now_ms):
        counters.acquire_lease(_LEASE, _holder(), 0, now_ms)


def _holder() -> bytes:
    return os.getpid().to_bytes(8, "big")


def bring_up_to_date(account_id: uuid.UUID | None = None) -> None:
    """Save what was counted by now, of one account or of all, before it is read.

    If it cannot be saved (the counters do not answer; the database is full or read-only), the
    caller reads what was saved before. Call it before a transaction, not within one.
    """
    _save_before_reading(account_id, None, raised=(None, DatabaseFault.UNREACHABLE))


def bring_last_uses_up_to_date(account_id: uuid.UUID | None = None) -> None:
    """The same before keys are shown, which tell when they were used last.

    That is no reason to wait long for those who write, or to fail: keys are read all the same.
    """
    _save_before_reading(account_id, _READERS_WAIT_MS, raised=(None,))


def _save_before_reading(
    account_id: uuid.UUID | None, wait_ms: int | None, *, raised: tuple[DatabaseFault | None, ...]
) -> None:
    counters = current_limits().counters
    try:
        if account_id is None:
            save_usage(counters, wait_ms=wait_ms)
        else:
            # The polling thread only looks whether there is anything: it leaves saving to another.
            most = maxsize if may_wait() else 1
            _save(counters, counters.changed_usage_of(account_id.bytes, most), wait_ms=wait_ms)
    except CountersUnavailable as error:
        log.warning("usage may lag behind", extra={"cause": type(error).__name__})
    except SQLAlchemyError as error:
        if fault_of(error) in raised:
            raise
        log.warning("usage may lag behind", extra={"cause": type(error).__name__})


def find_unsaved_use(
    *, account_id: uuid.UUID, environment: str, key_id: uuid.UUID
) -> datetime | None:
    """When the key was used last, where that may not be in the database yet."""
    try:
        used_ms = current_limits().counters.unsaved_use(
            account_id.bytes, ENVIRONMENTS.index(environment), key_id.bytes
        )
    except CountersUnavailable:
        return None
    return None if used_ms is None else clock.from_ms(used_ms)


def _save(
    counters: Counters,
    changed: Sequence[ChangedRow],
    *,
    wait_ms: int | None = None,
    tell: Tell | None = None,
) -> bool:
    """Save rows; False if owners could not be told, so that some rows wait for another save."""
    for start in range(0, len(changed), _BATCH):
        rows = changed[start : start + _BATCH]
        totals = [_to_total(row) for row in rows if isinstance(row, UsageRow)]
        of_meters = [_to_total_of_meter(row) for row in rows if isinstance(row, MeterRow)]
        with transaction.unit_of_work(wait_ms=wait_ms):
            save_totals(totals)
            save_totals_of_meters(of_meters)
        # After the commit, and before the rows are un-marked: after a crash or a failure in between
        # they are saved once more, which changes nothing, and told of then.
        is_told = tell(rows) if tell else current().limit_notices.tell(rows, wait_ms=wait_ms)
        if not is_told:
            return False
        counters.usage_saved(rows)
    return True


class UsageSpan(NamedTuple):
    """Whose usage is asked for, and of which days; `group_by` is None for a row a day and key."""

    account_id: uuid.UUID | None
    key_id: uuid.UUID | None
    group_by: GroupBy | None
    first_day: date
    last_day: date


def usage_span(
    *,
    account_id: uuid.UUID | None,
    key_id: uuid.UUID | None = None,
    group_by: GroupBy | None = None,
    first_day: date | None,
    last_day: date | None,
) -> UsageSpan:
    """The span; without bounds, the present month, or the last twelve if months are asked for."""
    today = clock.now().date()
    if first_day is None:
        first_day = (last_day or today).replace(day=1)
        if group_by == "month":
            months = first_day.year * 12 + first_day.month - 1 - _MONTHS_BEFORE
            # The calendar begins with the year 1.
            first_day = date(months // 12, months % 12 + 1, 1) if months >= 12 else date.min
    return UsageSpan(account_id, key_id, group_by, first_day, last_day or max(today, first_day))


def list_usage(span: UsageSpan, *, limit: int, cursor: Any) -> Page[Any]:
    """A row for each day and key, or for each period, account and environment; newest first.

    What is counted by now is saved first, so that nothing is missing. The polling thread reads only
    what costs no more than its page.
    """
    if span.account_id is None or span.key_id is not None or span.group_by is not None:
        require_thread()
    bring_up_to_date(span.account_id)
    with transaction.read_only():
        return read_usage(span, limit=limit, cursor=cursor)


def read_usage(span: UsageSpan, *, limit: int, cursor: Any) -> Page[Any]:
    """The same of what is saved, in the present transaction."""
    list_rows: Any = {
        None: usage_pages.list_days_of_keys,
        "day": usage_pages.list_days_of_accounts,
        "month": usage_pages.list_months_of_accounts,
    }[span.group_by]
    found = list_rows(
        account_id=span.account_id,
        key_id=span.key_id,
        first_day=span.first_day,
        last_day=span.last_day,
        before=cursor,
        limit=limit + 1,
    )
    items = found[:limit]
    return Page(items, place_of(items[-1]) if len(found) > limit else None)


class TopAccounts(NamedTuple):
    """The accounts that used most, in that order, and how many accounts used anything."""

    accounts: list[UsageOfAccount]
    used: int


def list_top_accounts(*, by: str, days: int, limit: int | None) -> TopAccounts:
    """The accounts that used most in the last `days`, today included; a `limit` of None is all.

    `by` is `requests`, `units` or the name of another meter. Live and test keys count together.
    """
    bring_up_to_date()
    today = clock.now().date()
    span = {"first_day": today - timedelta(days=days - 1), "last_day": today}
    with transaction.read_only():
        if by == "requests" or by == "units":
            found = usage_rows.list_top_accounts(by=by, limit=limit, **span)
            used = usage_rows.count_used_accounts(**span)
        else:
            found = meter_totals.list_top_accounts_of_meter(meter=by, limit=limit, **span)
            used = meter_totals.count_accounts_of_meter(meter=by, **span)
        use = meter_totals.use_of_accounts([account.account_id for account in found], **span)
    return TopAccounts(
        [account._replace(use=use.get(account.account_id, {})) for account in found], used
    )


def _to_total_of_meter(row: MeterRow) -> TotalOfMeter:
    return TotalOfMeter(
        key_id=row.key.hex(),
        day=_to_date(row.day),
        source=row.source_id,
        meter=row.meter,
        account_id=row.account.hex(),
        environment=ENVIRONMENTS[row.environment],
        amount=row.amount,
        released=row.released,
    )


def _to_date(day: int) -> date:
    return date(day // 10_000, day // 100 % 100, day % 100)


def _to_total(row: UsageRow) -> Total:
    return Total(
        key_id=row.key.hex(),
        day=_to_date(row.day),
        source=row.source_id,
        account_id=row.account.hex(),
        environment=ENVIRONMENTS[row.environment],
        requests=row.requests,
        units=row.units,
        last_used_ms=row.last_used_ms,
    )
