"""Agents: the bots or assistants of an account that a key can be bound to."""

import uuid
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    String,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.api_keys import ApiKey
from ragauth.models.base import Page, Shown, page_statement, read_page


class Agent(Base):
    __tablename__ = "agents"
    __table_args__ = (Index(None, "account_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(String(1000))
    created_at: Mapped[datetime]


def find_agent(account_id: uuid.UUID, agent_id: uuid.UUID) -> Agent | None:
    """The account's agent; another account's is not found."""
    return db.session.scalar(
        select(Agent).where(Agent.id == agent_id, Agent.account_id == account_id)
    )


def list_agents(account_id: uuid.UUID, *, limit: int, cursor: uuid.UUID | None) -> Page[Shown]:
    """Agents as plain rows to be shown."""
    statement = _page_of_account(goes_on=cursor is not None)
    return read_page(statement, limit=limit, cursor=cursor, account_id=account_id)


@cache
def _page_of_account(*, goes_on: bool) -> Select[*tuple[Any, ...]]:
    agents = cast("Table", Agent.__table__).c
    query = select(*agents).where(agents.account_id == bindparam("account_id"))
    return page_statement(query, agents.id, goes_on=goes_on)


def list_unbound(account_id: uuid.UUID) -> list[uuid.UUID]:
    """The ids of the account's agents that no live key is bound to."""
    return list(db.session.scalars(select(Agent.id).where(_is_unbound(account_id))))


def delete_unbound(account_id: uuid.UUID) -> None:
    """Delete the account's agents that no live key is bound to."""
    db.session.execute(delete(Agent).where(_is_unbound(account_id)))


def _is_unbound(account_id: uuid.UUID) -> ColumnElement[bool]:
    live_key = exists().where(ApiKey.agent_id == Agent.id, ApiKey.revoked_at.is_(None))
    return and_(Agent.account_id == account_id, ~live_key)


def count_agents(account_id: uuid.UUID) -> int:
    return (
        db.session.scalar(
            select(func.count()).select_from(Agent).where(Agent.account_id == account_id)
        )
        or 0
    )


def delete_agents(account_id: uuid.UUID) -> None:
    """Delete all agents of an account; the caller has revoked its keys."""
    db.session.execute(delete(Agent).where(Agent.account_id == account_id))
