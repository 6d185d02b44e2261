"""Usage: what each key was used for on each day, as absolute totals of each counter store."""

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    Date,
    Index,
    Select,
    String,
    Table,
    bindparam,
    func,
    select,
    tuple_,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.accounts import Account
from ragauth.models.api_keys import ApiKey
from ragauth.models.base import count_rows, read_rows


class Usage(Base):
    """A store's own total for one key and day.

    A total only grows, and the larger one is kept, so saving it twice, late or from two processes
    changes nothing. There is no foreign key, because usage outlives its key and account.
    """

    __tablename__ = "usage"
    __table_args__ = (
        Index(None, "account_id", "day"),
        Index(None, "day"),
        # For pages in their own order: of one account; of all by key; of all by account. No column
        # here ever changes, so on Postgres raising a total touches no index.
        Index(None, "account_id", "day", "key_id", "environment"),
        Index(None, "day", "key_id", "account_id", "environment"),
        Index(None, "day", "account_id", "environment"),
    )

    key_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[uuid.UUID]
    environment: Mapped[str] = mapped_column(String(10))
    requests: Mapped[int] = mapped_column(BigInteger)
    units: Mapped[int] = mapped_column(BigInteger)


class MeterUsage(Base):
    """A store's own totals of one meter for one key and day; `requests` are in `usage`.

    Both totals only grow, and the larger ones are kept. What was used is `amount` - `released`:
    `released` is what reservations gave back.
    """

    __tablename__ = "meter_usage"
    __table_args__ = (
        Index(None, "account_id", "day", "key_id", "environment", "meter"),
        Index(None, "day", "key_id", "account_id", "environment", "meter"),
        Index(None, "day", "account_id", "environment", "meter"),
    )

    key_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    meter: Mapped[str] = mapped_column(String(31), primary_key=True)
    account_id: Mapped[uuid.UUID]
    environment: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int] = mapped_column(BigInteger)
    released: Mapped[int] = mapped_column(BigInteger)


class DayOfKey(NamedTuple):
    """The sum over all stores for one key and day; `use` has the other meters by name."""

    account_id: uuid.UUID
    key_id: uuid.UUID
    environment: str
    day: date
    requests: int
    units: int
    use: dict[str, int]


def list_days(
    *,
    account_id: uuid.UUID | None,
    first_day: date,
    last_day: date,
    before: tuple[date, uuid.UUID] | None,
    limit: int,
) -> list[DayOfKey]:
    """A row for each day and key, newest day first; `before` is where the next page begins.

    Without the other meters: see `usage_pages`.
    """
    given: dict[str, Any] = {"first_day": first_day, "most": limit}
    if account_id is not None:
        given["account_id"] = account_id
    # Only one upper bound: of two, SQLite would use the weaker one.
    goes_on = before is not None and before[0] <= last_day
    if before is not None and goes_on:
        given["before_day"], given["before_key"] = before
    else:
        given["last_day"] = last_day
    statement = _page_of_days(of_account=account_id is not None, goes_on=goes_on)
    return [DayOfKey._make((*row, {})) for row in read_rows(statement, **given)]


@cache
def _page_of_days(*, of_account: bool, goes_on: bool) -> Select[*tuple[Any, ...]]:
    """Grouping is in the order of the page, which is that of an index.

    So only the page is read, however long the span is. All rows of one key and day have the same
    account and environment.
    """
    rows = cast("Table", Usage.__table__).c
    page_order = (rows.day, rows.key_id, rows.account_id, rows.environment)
    # A sum of Postgres is a decimal number.
    sums = (sql_cast(func.sum(column), BigInteger) for column in (rows.requests, rows.units))
    requests, units = sums
    query = (
        select(
            rows.account_id,
            rows.key_id,
            rows.environment,
            rows.day,
            requests.label("requests"),
            units.label("units"),
        )
        .where(rows.day >= bindparam("first_day"))
        .group_by(*page_order)
        .order_by(*(column.desc() for column in page_order))
        .limit(bindparam("most"))
    )
    if of_account:
        query = query.where(rows.account_id == bindparam("account_id"))
    if goes_on:
        before = tuple_(
            bindparam("before_day", type_=rows.day.type),
            bindparam("before_key", type_=rows.key_id.type),
        )
        return query.where(tuple_(rows.day, rows.key_id) < before)
    return query.where(rows.day <= bindparam("last_day"))


def last_use() -> datetime | None:
    """The time of the latest use of any key, as far as it is saved.

    It reads the keys of the last day with usage, because `last_used_at` is saved together with
    usage.
    """
    last_day = select(func.max(Usage.day)).scalar_subquery()
    used = select(Usage.key_id).where(Usage.day == last_day)
    return db.session.scalar(select(func.max(ApiKey.last_used_at)).where(ApiKey.id.in_(used)))


class UsageOfAccount(NamedTuple):
    """What an account used in some days, `use` of other meters; a deleted one has no names."""

    account_id: uuid.UUID
    email: str | None
    external_id: str | None
    plan: str | None
    requests: int
    units: int
    use: Mapping[str, int] = MappingProxyType({})


def list_top_accounts(
    *, by: str, first_day: date, last_day: date, limit: int | None
) -> list[UsageOfAccount]:
    """The accounts that used most, in that order; a `limit` of None is all.

    `by` is `requests` or `units`.
    """
    totals = _by_account(first_day, last_day).subquery()
    query = (
        select(
            totals.c.account_id,
            Account.email,
            Account.external_id,
            Account.plan,
            totals.c.requests,
            totals.c.units,
        )
        .outerjoin(Account, Account.id == totals.c.account_id)
        .order_by(totals.c[by].desc(), totals.c.account_id)
        .limit(limit)
    )
    return [
        UsageOfAccount(account_id, email, external_id, plan, int(requests), int(units))
        for account_id, email, external_id, plan, requests, units in db.session.execute(query)
    ]


def count_used_accounts(*, first_day: date, last_day: date) -> int:
    """How many accounts used anything."""
    return count_rows(_by_account(first_day, last_day))


def sum_of_account(account_id: uuid.UUID, *, first_day: date, last_day: date) -> tuple[int, int]:
    """Requests and units of an account, live and test keys together."""
    query = _by_account(first_day, last_day).where(Usage.account_id == account_id)
    found = db.session.execute(query).one_or_none()
    return (0, 0) if found is None else (int(found.requests), int(found.units))


def _by_account(first_day: date, last_day: date) -> Select[uuid.UUID, int, int]:
    return (
        select(
            Usage.account_id,
            func.sum(Usage.requests).label("requests"),
            func.sum(Usage.units).label("units"),
        )
        .where(Usage.day.between(first_day, last_day))
        .group_by(Usage.account_id)
    )
