"""Events: the security history. Rows outlive their account, which they name only by its id."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Index,
    Select,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import (
    Page,
    Shown,
    count_changed,
    insert_many,
    insert_row,
    page_statement,
    read_page,
    read_rows,
)

# The maximal number of ids in one statement.
_AT_ONCE = 500


class Event(Base):
    __tablename__ = "events"
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(None, "name", "id"),
        Index(
            "ix_events_unplaced",
            "id",
            sqlite_where=text("place IS NULL"),
            postgresql_where=text("place IS NULL"),
        ),
        Index(
            "uq_events_place",
            "place",
            unique=True,
            sqlite_where=text("place IS NOT NULL"),
            postgresql_where=text("place IS NOT NULL"),
        ),
        Index(
            "ix_events_name_place",
            "name",
            "place",
            sqlite_where=text("place IS NOT NULL"),
            postgresql_where=text("place IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID | None]
    name: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime]
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Its place in the feed of all events, once it has one. Places are given after the commit, one
    # after the other, so an event with a greater place never appears before one with a smaller.
    place: Mapped[int | None] = mapped_column(BigInteger)


def add(**values: Any) -> None:
    """Insert an event."""
    insert_row(Event, **values)


def add_all(rows: Sequence[dict[str, Any]]) -> None:
    """Insert many events as plain values."""
    insert_many(insert(cast("Table", Event.__table__)), rows)


# The ids are UUIDv7, ordered by time, so the primary key finds old events.


def delete_older(before: uuid.UUID, *, limit: int) -> int:
    """Delete events before an id; returns how many."""
    return _delete(select(Event.id).where(Event.id < before), limit)


def delete_nobodys(before: uuid.UUID, *, limit: int) -> int:
    """Delete events of no account (failed logins to unknown ones); returns how many."""
    return _delete(select(Event.id).where(Event.account_id.is_(None), Event.id < before), limit)


def _delete(old: Select[uuid.UUID], limit: int) -> int:
    oldest = old.order_by(Event.id).limit(limit)
    return count_changed(
        delete(Event).where(Event.id.in_(oldest)).execution_options(synchronize_session=False)
    )


def list_events(account_id: uuid.UUID, *, limit: int, cursor: uuid.UUID | None) -> Page[Shown]:
    """Events as plain rows to be shown."""
    statement = _page_of_account(goes_on=cursor is not None)
    return read_page(statement, limit=limit, cursor=cursor, account_id=account_id)


@cache
def _page_of_account(*, goes_on: bool) -> Select[*tuple[Any, ...]]:
    events = cast("Table", Event.__table__).c
    query = select(*events).where(events.account_id == bindparam("account_id"))
    return page_statement(query, events.id, goes_on=goes_on)


def has_unplaced() -> bool:
    """Whether any event has no place in the feed yet."""
    # In order, so by the index: Postgres might read the whole table, where it expects to find many.
    first = select(Event.id).where(Event.place.is_(None)).order_by(Event.id).limit(1)
    return db.session.scalar(first) is not None


def place_next(after: int, *, limit: int) -> int | None:
    """Give the oldest events without a place the places after this one; returns the last of them.

    The caller holds `installation.last_place`. An event that another transaction changes at the
    moment (an erasure, a clean-up) gets its place later: neither waits for the other.
    """
    oldest = (
        select(Event.id)
        .where(Event.place.is_(None))
        .order_by(Event.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # Postgres executes a CTE that locks rows once; it might execute a subquery again.
        .cte()
    )
    number = func.row_number().over(order_by=oldest.c.id).label("number")
    numbered = select(oldest.c.id, number).subquery()
    db.session.execute(
        update(Event)
        .where(Event.id == numbered.c.id)
        .values(place=literal(after, BigInteger) + numbered.c.number)
        .execution_options(synchronize_session=False)
    )
    return db.session.scalar(select(func.max(Event.place)).where(Event.place > after))


def list_placed(after: int, name: str | None, *, limit: int) -> Sequence[Shown]:
    """Events after a place in the feed, in the feed's order, as plain rows to be shown."""
    parameters: dict[str, Any] = {"after": after, "most": limit}
    if name is not None:
        parameters["name"] = name
    return read_rows(_page_of_feed(of_name=name is not None), **parameters)


@cache
def _page_of_feed(*, of_name: bool) -> Select[*tuple[Any, ...]]:
    events = cast("Table", Event.__table__).c
    query = select(*events).where(events.place > bindparam("after"))
    if of_name:
        query = query.where(events.name == bindparam("name"))
    return query.order_by(events.place).limit(bindparam("most"))


def list_between(
    first: uuid.UUID,
    before: uuid.UUID | None,
    account_id: uuid.UUID | None,
    name: str | None,
    *,
    limit: int,
) -> list[Event]:
    """Events from one id on, up to but without another, oldest first."""
    query = _of(account_id, name).where(Event.id >= first)
    if before is not None:
        query = query.where(Event.id < before)
    return list(db.session.scalars(query.order_by(Event.id).limit(limit)))


def find_known(event_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Which of these ids exist."""
    known: set[uuid.UUID] = set()
    for start in range(0, len(event_ids), _AT_ONCE):
        some = event_ids[start : start + _AT_ONCE]
        known.update(db.session.scalars(select(Event.id).where(Event.id.in_(some))))
    return known


def list_latest(account_id: uuid.UUID | None, name: str | None, *, limit: int) -> list[Event]:
    """The latest events, newest first."""
    query = _of(account_id, name).order_by(Event.id.desc()).limit(limit)
    return list(db.session.scalars(query))


def _of(account_id: uuid.UUID | None, name: str | None) -> Select[Event]:
    query = select(Event)
    if account_id is not None:
        query = query.where(Event.account_id == account_id)
    if name is not None:
        query = query.where(Event.name == name)
    return query


def forget_clients(account_id: uuid.UUID) -> None:
    """Delete addresses, user agents and details of an account's events; names and times remain."""
    db.session.execute(
        update(Event)
        .where(Event.account_id == account_id)
        .values(ip=None, user_agent=None, details={})
        .execution_options(synchronize_session=False)
    )
