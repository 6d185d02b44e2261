"""Limit notices: that an owner was told how much of a limit is used, once in each window."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import CursorResult, ForeignKey, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import delete_oldest


class LimitNotice(Base):
    """One notice. The primary key lets only one process of all hosts write it.

    `period` is the day or the month that the limit counts in: `2026-02-16` or `2026-02`.
    """

    __tablename__ = "limit_notices"

    account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    environment: Mapped[str] = mapped_column(String(10), primary_key=True)
    meter: Mapped[str] = mapped_column(String(31), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    percent: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)


class NoticeName(NamedTuple):
    """The primary key of a notice."""

    account_id: uuid.UUID
    environment: str
    meter: str
    period: str
    percent: int


def find_notices(account_ids: Collection[uuid.UUID], periods: Collection[str]) -> set[NoticeName]:
    """The notices of these accounts and periods."""
    query = select(
        LimitNotice.account_id,
        LimitNotice.environment,
        LimitNotice.meter,
        LimitNotice.period,
        LimitNotice.percent,
    ).where(LimitNotice.account_id.in_(account_ids), LimitNotice.period.in_(periods))
    return {NoticeName(*row) for row in db.session.execute(query)}


def add_notice(name: NoticeName, *, at: datetime) -> bool:
    """Add a notice; False if it is there already.

    Of two transactions that add the same one at once, the second waits for the first, and gets
    False unless that one was rolled back. No error ends its transaction.
    """
    connection = db.session.connection()
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(cast("Table", LimitNotice.__table__)).on_conflict_do_nothing()
    result: CursorResult[Any] = connection.execute(
        statement,
        {**name._asdict(), "at": at},
        # SQLAlchemy does not keep it of an insert by itself.
        execution_options={"preserve_rowcount": True},
    )
    return result.rowcount == 1


def delete_older(before: datetime, *, limit: int) -> int:
    """Delete the oldest notices before a moment; returns how many."""
    return delete_oldest(LimitNotice.at, before, limit=limit)


def delete_for_account(account_id: uuid.UUID) -> None:
    db.session.execute(delete(LimitNotice).where(LimitNotice.account_id == account_id))
