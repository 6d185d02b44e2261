"""Usage: what each key was used for on each day, as absolute totals of each counter store."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    Date,
    Index,
    Select,
    String,
    func,
    select,
    tuple_,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.accounts import Account
from ragauth.models.api_keys import ApiKey
from ragauth.models.base import count_rows


class Usage(Base):
    """A store's own total for one key and day.

    A total only grows, so saving it twice, late or from two processes changes nothing: the
    larger one stays. No foreign key: what was used stays counted.
    """

    __tablename__ = "usage"
    __table_args__ = (
        Index(None, "account_id", "day"),
        Index(None, "day"),
        # A page in its own order, of one account and of all. No column here ever changes: on
        # Postgres a total that is raised touches no index.
        Index(None, "account_id", "day", "key_id", "environment"),
        Index(None, "day", "key_id", "account_id", "environment"),
    )

    key_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[uuid.UUID]
    environment: Mapped[str] = mapped_column(String(10))
    requests: Mapped[int] = mapped_column(BigInteger)
    units: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class DayOfKey:
    """The sum over all stores for one key and day."""

    account_id: uuid.UUID
    key_id: uuid.UUID
    environment: str
    day: date
    requests: int
    units: int


def list_days(
    *,
    account_id: uuid.UUID | None,
    first_day: date,
    last_day: date,
    before: tuple[date, uuid.UUID] | None,
    limit: int,
) -> list[DayOfKey]:
    """A row a day and key, the newest day first; `before` is where a further page goes on.

    Groups are made in the order of the page, which is that of an index: what is read is the page,
    however long the span is. Of one key and day there is one account and one environment.
    """
    page_order = (Usage.day, Usage.key_id, Usage.account_id, Usage.environment)
    query = (
        select(
            Usage.account_id,
            Usage.key_id,
            Usage.environment,
            Usage.day,
            func.sum(Usage.requests),
            func.sum(Usage.units),
        )
        .where(Usage.day >= first_day)
        .group_by(*page_order)
        .order_by(*(column.desc() for column in page_order))
        .limit(limit)
    )
    if account_id is not None:
        query = query.where(Usage.account_id == account_id)
    if before is None or before[0] > last_day:
        query = query.where(Usage.day <= last_day)
    else:
        # The one bound from above: SQLite would use the weaker one of two.
        query = query.where(tuple_(Usage.day, Usage.key_id) < before)
    return [
        DayOfKey(account, key, environment, day, int(requests), int(units))
        for account, key, environment, day, requests, units in db.session.execute(query)
    ]


def last_use() -> datetime | None:
    """When a key was used last, as far as that is saved.

    The keys of the last day that has usage are looked at: `last_used_at` is saved along with it.
    """
    last_day = select(func.max(Usage.day)).scalar_subquery()
    used = select(Usage.key_id).where(Usage.day == last_day)
    return db.session.scalar(select(func.max(ApiKey.last_used_at)).where(ApiKey.id.in_(used)))


class UsageOfAccount(NamedTuple):
    """What an account used in some days; one that was deleted has no e-mail any more."""

    account_id: uuid.UUID
    email: str | None
    plan: str | None
    requests: int
    units: int


def list_top_accounts(
    *, by: Literal["requests", "units"], first_day: date, last_day: date, limit: int | None
) -> list[UsageOfAccount]:
    """Who used most, first; None is all."""
    totals = _by_account(first_day, last_day).subquery()
    query = (
        select(totals.c.account_id, Account.email, Account.plan, totals.c.requests, totals.c.units)
        .outerjoin(Account, Account.id == totals.c.account_id)
        .order_by(totals.c[by].desc(), totals.c.account_id)
        .limit(limit)
    )
    return [
        UsageOfAccount(account_id, email, plan, int(requests), int(units))
        for account_id, email, plan, requests, units in db.session.execute(query)
    ]


def count_used_accounts(*, first_day: date, last_day: date) -> int:
    """How many accounts used anything."""
    return count_rows(_by_account(first_day, last_day))


def sum_of_account(account_id: uuid.UUID, *, first_day: date, last_day: date) -> tuple[int, int]:
    """Requests and units, of live and test keys together."""
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
