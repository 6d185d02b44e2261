"""Pages of usage with all of its meters: by key and day, by day, by month; newest first.

Each page is read in the order of an index, so its cost depends on the page and not on the span.
Requests and other meters are in two tables, and a row of a page may be in one of them alone.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import or_, select

from ragauth.extensions import db
from ragauth.models.accounts import Account
from ragauth.models.usage import DayOfKey, MeterUsage, Usage, list_days
from ragauth.models.usage_places import DayPlace, KeyPlace, MonthPlace
from ragauth.models.usage_statements import UsageRows

_BY_KEY = ("day", "key_id", "account_id", "environment")
_BY_ACCOUNT = ("day", "account_id", "environment")
_LAST_ID = uuid.UUID(int=2**128 - 1)
_LONGEST_MONTH = 31


class PeriodOfAccount(NamedTuple):
    """The sums over all keys of an account in one environment."""

    begins: date
    account_id: uuid.UUID
    environment: str
    requests: int
    units: int
    use: dict[str, int]


class DayOfAccount(PeriodOfAccount):
    """Of one day."""

    __slots__ = ()


class MonthOfAccount(PeriodOfAccount):
    """Of one month of the calendar, as far as it is within the span."""

    __slots__ = ()


def list_days_of_keys(
    *,
    account_id: uuid.UUID | None,
    key_id: uuid.UUID | None,
    first_day: date,
    last_day: date,
    before: KeyPlace | None,
    limit: int,
) -> list[DayOfKey]:
    """A row for each day and key, of one account or of all; the next page begins at `before`."""
    rows = UsageRows(account_id, key_id, first_day, last_day)
    page = rows.bound(_BY_KEY, before=before)
    with_meters = page.newest(MeterUsage, limit=limit)
    if key_id is None:
        found = list_days(
            account_id=account_id,
            first_day=first_day,
            last_day=last_day,
            before=before,
            limit=limit,
        )
        if not with_meters:
            return found
    else:
        found = [
            DayOfKey(account, key, environment, day, requests, units, {})
            for (day, key, account, environment), (requests, units) in page.sum_requests(
                _BY_KEY
            ).items()
        ]
    days = {(row.day, row.key_id): row for row in found}
    for day, key, account, environment in with_meters:
        days.setdefault((day, key), DayOfKey(account, key, environment, day, 0, 0, {}))
    places = sorted(days, reverse=True)[:limit]
    if with_meters:
        shown = rows.bound(_BY_KEY, lowest=places[-1], before=before)
        for (day, key, *_), use in shown.sum_meters(_BY_KEY).items():
            # What was saved since the statement before may be of another row.
            if (day, key) in days:
                days[day, key] = days[day, key]._replace(use=use)
    return [days[place] for place in places]


def list_days_of_accounts(
    *,
    account_id: uuid.UUID | None,
    key_id: uuid.UUID | None,
    first_day: date,
    last_day: date,
    before: DayPlace | None,
    limit: int,
) -> list[DayOfAccount]:
    """A row for each day, account and environment; the next page begins at `before`."""
    rows = UsageRows(account_id, key_id, first_day, last_day)
    if account_id is None and key_id is None:
        found = _sum_newest(rows, _BY_ACCOUNT, before=before, limit=limit)
    else:
        if before is not None:
            rows = replace(rows, last_day=min(last_day, before.begins))
        # One more: of the first day all rows may have been on the page before.
        found = _sum_newest(rows, ("day",), before=None, limit=limit + 1)
    return [DayOfAccount(*day) for day in _after(before, found)[:limit]]


def list_months_of_accounts(
    *,
    account_id: uuid.UUID | None,
    key_id: uuid.UUID | None,
    first_day: date,
    last_day: date,
    before: MonthPlace | None,
    limit: int,
) -> list[MonthOfAccount]:
    """A row for each month, account and environment; the next page begins at `before`."""
    if before is not None:
        last_day = min(last_day, _end_of_month(before.begins))
    rows = UsageRows(account_id, key_id, first_day, last_day)
    if account_id is None and key_id is None:
        found = _sum_months_of_all(rows, before=before, limit=limit)
    else:
        # One month more than rows: those of the first one may all have been on the page before.
        # Of what follows on the page perhaps not all days are read, but that is not shown.
        most_days = _LONGEST_MONTH * (limit + 1)
        found = _sum_by_month(_sum_newest(rows, ("day",), before=None, limit=most_days))
    return [MonthOfAccount(*month) for month in _after(before, found)[:limit]]


def list_meters(
    *, account_id: uuid.UUID | None, key_id: uuid.UUID | None, first_day: date, last_day: date
) -> list[str]:
    """The meters, other than requests, that were used in a span, by name."""
    rows = UsageRows(account_id, key_id, first_day, last_day)
    bound = rows.bound()
    query = select(MeterUsage.meter).where(*bound.conditions(MeterUsage)).distinct()
    return sorted(db.session.scalars(query, bound.values))


def place_of(row: DayOfKey | DayOfAccount | MonthOfAccount) -> KeyPlace | DayPlace | MonthPlace:
    """Where the page after this row begins."""
    if isinstance(row, DayOfAccount):
        return DayPlace(*row[:3])
    if isinstance(row, MonthOfAccount):
        return MonthPlace(*row[:3])
    return KeyPlace(row.day, row.key_id)


def _sum_newest(
    rows: UsageRows, order: tuple[str, ...], *, before: DayPlace | None, limit: int
) -> list[PeriodOfAccount]:
    """The sums of days whose first columns in `order` are among the `limit` largest ones."""
    with_requests, with_meters = (
        rows.bound(order, before=before).newest(table, limit=limit) for table in (Usage, MeterUsage)
    )
    newest = sorted({*with_requests, *with_meters}, reverse=True)[:limit]
    if not newest:
        return []
    page = rows.bound(order, lowest=newest[-1], before=before)
    return _periods(
        page.sum_requests(_BY_ACCOUNT) if with_requests else {},
        page.sum_meters(_BY_ACCOUNT) if with_meters else {},
    )


def _sum_months_of_all(
    rows: UsageRows, *, before: MonthPlace | None, limit: int
) -> list[PeriodOfAccount]:
    """A month at a time: in each, the accounts are gone through in the order of their ids."""
    found: list[PeriodOfAccount] = []
    last_day: date | None = rows.last_day
    while last_day is not None and len(found) < limit:
        rows = replace(rows, last_day=last_day)
        last_day = _last_day_used(rows)
        if last_day is None:
            break
        begins = last_day.replace(day=1)
        month = replace(rows, first_day=max(rows.first_day, begins), last_day=last_day)
        goes_on = before is not None and before.begins == begins
        upto = before.account_id if before is not None and goes_on else _LAST_ID
        found += _after(before, _sum_accounts(month, begins, upto=upto, limit=limit + 1))
        last_day = begins - timedelta(days=1) if begins > date.min else None
    return found


def _last_day_used(rows: UsageRows) -> date | None:
    newest = [rows.bound(("day",)).newest(table, limit=1) for table in (Usage, MeterUsage)]
    return max((day for days in newest for (day,) in days), default=None)


def _sum_accounts(
    rows: UsageRows, begins: date, *, upto: uuid.UUID, limit: int
) -> list[PeriodOfAccount]:
    """The sums of the last `limit` accounts that used anything, none after `upto`.

    Each account is looked up by its id, deleted ones too: they leave a tombstone.
    """
    bound = rows.bound()
    used = [
        select(table.key_id)
        .where(table.account_id == Account.id, *bound.conditions(table))
        .exists()
        for table in (Usage, MeterUsage)
    ]
    accounts = (
        select(Account.id)
        .where(Account.id <= upto, or_(*used))
        .order_by(Account.id.desc())
        .limit(limit)
    )
    ids = list(db.session.scalars(accounts, bound.values))
    of_these = rows.bound(account_ids=ids)
    names = ("account_id", "environment")
    requests = of_these.sum_requests(names)
    use = of_these.sum_meters(names)
    return _periods(
        {(begins, *group): sums for group, sums in requests.items()},
        {(begins, *group): sums for group, sums in use.items()},
    )


def _periods(
    requests: dict[tuple[Any, ...], tuple[int, int]], use: dict[tuple[Any, ...], dict[str, int]]
) -> list[PeriodOfAccount]:
    return [
        PeriodOfAccount._make((*place, *requests.get(place, (0, 0)), use.get(place, {})))
        for place in sorted({*requests, *use}, reverse=True)
    ]


def _sum_by_month(days: Iterable[PeriodOfAccount]) -> list[PeriodOfAccount]:
    requests: dict[tuple[Any, ...], tuple[int, int]] = {}
    use: dict[tuple[Any, ...], dict[str, int]] = {}
    for begins, *owner, more_requests, more_units, more_use in days:
        place = (begins.replace(day=1), *owner)
        so_far, units = requests.get(place, (0, 0))
        requests[place] = (so_far + more_requests, units + more_units)
        amounts = use.setdefault(place, {})
        for meter, amount in more_use.items():
            amounts[meter] = amounts.get(meter, 0) + amount
    return _periods(requests, use)


def _after(
    before: DayPlace | MonthPlace | None, found: Sequence[PeriodOfAccount]
) -> list[PeriodOfAccount]:
    """Those that a page shows that begins at `before`."""
    return [one for one in found if before is None or one[:3] < before]


def _end_of_month(day: date) -> date:
    if (day.year, day.month) == (date.max.year, date.max.month):
        return date.max
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
