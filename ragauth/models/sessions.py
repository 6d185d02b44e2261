"""Sessions: one for each login, with the generation of its refresh token."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    Select,
    String,
    Table,
    bindparam,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.accounts import Account
from ragauth.models.base import (
    Page,
    Shown,
    count_changed,
    count_rows,
    page_statement,
    read_page,
    read_rows,
)
from ragauth.models.plain_writes import write

# The maximal number of logins that are read, so that a script that logs in all day does not slow
# down.
_LATEST = 100


class Session(Base):
    """A login. Each refresh adds one to `generation`; only the newest generation is valid.

    `spender_network` and `spender_agent` (a SHA-256) are of the client that refreshed last: only
    that client is told the successor of the spent token again. `refused_generation` is the last one
    of which an event says that another network asked for it.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(None, "expires_at"),
        # Partial indexes, because few sessions have been ended, or were made by a clock that was
        # ahead.
        Index(
            "ix_sessions_ended_at",
            "ended_at",
            sqlite_where=text("ended_at IS NOT NULL"),
            postgresql_where=text("ended_at IS NOT NULL"),
        ),
        Index(
            "ix_sessions_rotated_at",
            "rotated_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    generation: Mapped[int] = mapped_column(default=0)
    rotated_at: Mapped[datetime]
    spender_network: Mapped[str | None] = mapped_column(String(43))
    spender_agent: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    refused_generation: Mapped[int | None]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))


# Built once, on the tables: building a statement, or passing it through the ORM, takes longer than
# executing it.
_SESSIONS, _ACCOUNTS = cast("Table", Session.__table__), cast("Table", Account.__table__)
_WITH_STATUS = (
    select(
        _SESSIONS.c.account_id,
        _SESSIONS.c.generation,
        _SESSIONS.c.rotated_at,
        _SESSIONS.c.spender_network,
        _SESSIONS.c.spender_agent,
        _SESSIONS.c.created_at,
        _SESSIONS.c.expires_at,
        _SESSIONS.c.ended_at,
        _ACCOUNTS.c.status,
    )
    .join(_ACCOUNTS, _ACCOUNTS.c.id == _SESSIONS.c.account_id)
    .where(_SESSIONS.c.id == bindparam("session_id"))
)
_END = select(_SESSIONS.c.ended_at).where(_SESSIONS.c.id == bindparam("session_id"))
_ADVANCE = (
    update(_SESSIONS)
    .where(
        _SESSIONS.c.id == bindparam("session_id"),
        _SESSIONS.c.generation == bindparam("present_generation"),
        _SESSIONS.c.ended_at.is_(None),
    )
    .values(
        generation=_SESSIONS.c.generation + 1,
        rotated_at=bindparam("now"),
        last_used_at=bindparam("now"),
        expires_at=bindparam("ends_at"),
        spender_network=bindparam("network"),
        spender_agent=bindparam("agent"),
    )
)


def find_with_status(session_id: uuid.UUID) -> Shown | None:
    """For a refresh: the session's generation, and its account's status."""
    found = read_rows(_WITH_STATUS, session_id=session_id)
    return found[0] if found else None


def has_ended(session_id: uuid.UUID) -> bool:
    return any(row.ended_at is not None for row in read_rows(_END, session_id=session_id))


def find_live(account_id: uuid.UUID, session_id: uuid.UUID, *, now: datetime) -> Session | None:
    return db.session.scalar(_live(account_id, now).where(Session.id == session_id))


def list_live(
    account_id: uuid.UUID, *, now: datetime, limit: int, cursor: uuid.UUID | None
) -> Page[Shown]:
    """Live sessions as plain rows to be shown."""
    statement = _page_of_account(is_live=True, goes_on=cursor is not None)
    return read_page(statement, limit=limit, cursor=cursor, account_id=account_id, now=now)


def count_live(account_id: uuid.UUID, *, now: datetime) -> int:
    return count_rows(_live(account_id, now))


def latest_addresses(account_id: uuid.UUID, *, since: uuid.UUID) -> Sequence[str | None]:
    """The addresses where the account's latest sessions were opened, dead ones too, after an id."""
    latest = (
        select(Session.ip)
        .where(Session.account_id == account_id, Session.id >= since)
        .order_by(Session.id.desc())
        .limit(_LATEST)
        .subquery()
    )
    return db.session.scalars(select(latest.c.ip).distinct()).all()


def _live(account_id: uuid.UUID, now: datetime) -> Select[Session]:
    return select(Session).where(
        Session.account_id == account_id, Session.ended_at.is_(None), Session.expires_at > now
    )


def list_all(account_id: uuid.UUID, *, limit: int, cursor: uuid.UUID | None) -> Page[Shown]:
    """An account's sessions; ended and expired ones too, until `cleanup` deletes them."""
    statement = _page_of_account(is_live=False, goes_on=cursor is not None)
    return read_page(statement, limit=limit, cursor=cursor, account_id=account_id)


@cache
def _page_of_account(*, is_live: bool, goes_on: bool) -> Select[*tuple[Any, ...]]:
    sessions = _SESSIONS.c
    query = select(*sessions).where(sessions.account_id == bindparam("account_id"))
    if is_live:
        query = query.where(sessions.ended_at.is_(None), sessions.expires_at > bindparam("now"))
    return page_statement(query, sessions.id, goes_on=goes_on)


def advance_generation(
    session_id: uuid.UUID,
    *,
    generation: int,
    now: datetime,
    expires_at: datetime,
    spender_network: str | None,
    spender_agent: bytes | None,
) -> bool:
    """Compare and swap: of simultaneous refreshes with one token, one gets True."""
    changed = write(
        _ADVANCE,
        session_id=session_id,
        present_generation=generation,
        now=now,
        ends_at=expires_at,
        network=spender_network,
        agent=spender_agent,
    )
    return changed > 0


def note_refusal(session_id: uuid.UUID, *, generation: int) -> bool:
    """Note that another network presented this generation's token; True for the first time."""
    is_new = Session.refused_generation.is_(None) | (Session.refused_generation < generation)
    changed = count_changed(
        update(Session)
        .where(Session.id == session_id, is_new)
        .values(refused_generation=generation)
    )
    return changed > 0


def touch_session(session_id: uuid.UUID, *, now: datetime) -> bool:
    """Note that a session was used; False if it has ended."""
    changed = count_changed(
        update(Session)
        .where(Session.id == session_id, Session.ended_at.is_(None))
        .values(last_used_at=now)
    )
    return changed > 0


def end_session(session_id: uuid.UUID, *, now: datetime) -> bool:
    """End a session; False if it has ended before."""
    changed = count_changed(
        update(Session)
        .where(Session.id == session_id, Session.ended_at.is_(None))
        .values(ended_at=now)
    )
    return changed > 0


def end_sessions(
    account_id: uuid.UUID, *, now: datetime, except_session_id: uuid.UUID | None = None
) -> int:
    """End all of an account's live sessions but one; returns how many ended."""
    query = update(Session).where(Session.account_id == account_id, Session.ended_at.is_(None))
    if except_session_id is not None:
        query = query.where(Session.id != except_session_id)
    return count_changed(query.values(ended_at=now))


def end_all(*, now: datetime) -> int:
    """End every session of every account; returns how many were not ended yet."""
    return count_changed(update(Session).where(Session.ended_at.is_(None)).values(ended_at=now))


def end_issued_after(latest: datetime, *, now: datetime) -> int:
    """End sessions that a clock that was ahead opened or refreshed; returns how many."""
    return count_changed(
        update(Session)
        .where(Session.rotated_at > latest, Session.ended_at.is_(None))
        .values(ended_at=now)
    )


def forget_clients(account_id: uuid.UUID) -> None:
    """Delete the addresses and user agents of an account's sessions."""
    db.session.execute(
        update(Session)
        .where(Session.account_id == account_id)
        .values(ip=None, user_agent=None, spender_network=None, spender_agent=None)
    )


def delete_expired(*, before: datetime, limit: int) -> int:
    """Delete sessions that expired before a moment; returns how many."""
    return _delete(Session.expires_at, before, limit)


def delete_ended(*, before: datetime, limit: int) -> int:
    """Delete sessions that were ended before a moment; returns how many."""
    return _delete(Session.ended_at, before, limit)


def _delete(moment: InstrumentedAttribute[Any], before: datetime, limit: int) -> int:
    """Delete the oldest first: each batch continues in the index where the last one stopped."""
    oldest = select(Session.id).where(moment < before).order_by(moment).limit(limit)
    return count_changed(
        delete(Session).where(Session.id.in_(oldest)).execution_options(synchronize_session=False)
    )
