"""Events: the security history. Rows outlive their account, which they name only by its id."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import Page, count_changed, paginate


class Event(Base):
    __tablename__ = "events"
    __table_args__ = (Index(None, "account_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID | None]
    name: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime]
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)


def delete_nobodys(*, before: datetime, limit: int) -> int:
    """Forget what happened to no account (failed logins of unknown ones); returns how many."""
    old = select(Event.id).where(Event.account_id.is_(None), Event.at < before).limit(limit)
    return count_changed(delete(Event).where(Event.id.in_(old)))


def list_events(account_id: uuid.UUID, *, limit: int, cursor: uuid.UUID | None) -> Page[Event]:
    return paginate(
        select(Event).where(Event.account_id == account_id), Event.id, limit=limit, cursor=cursor
    )


def forget_clients(account_id: uuid.UUID) -> None:
    """Where its owner was, with what browser, and all details: what happened when remains."""
    db.session.execute(
        update(Event)
        .where(Event.account_id == account_id)
        .values(ip=None, user_agent=None, details={})
        .execution_options(synchronize_session=False)
    )
