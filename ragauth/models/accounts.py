"""Accounts: who signed up, with which plan and password."""

import uuid
from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CheckConstraint,
    Index,
    Select,
    String,
    Text,
    bindparam,
    select,
    text,
    true,
    type_coerce,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base, Json
from ragauth.extensions import db

ACTIVE = "active"
SUSPENDED = "suspended"
DELETED = "deleted"


class Account(Base):
    """One customer. A deleted account keeps its row, without personal data."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'suspended', 'deleted')", name="status"),
        CheckConstraint(
            "status <> 'deleted' OR email_canonical IS NULL", name="deleted_is_anonymous"
        ),
        Index(None, "plan", "id"),
        Index(None, "status", "id"),
        # An index and not a constraint, which a large table would be copied for on SQLite.
        Index("uq_accounts_external_id", "external_id", unique=True),
        # For pages of those that the operator has named.
        Index(
            "ix_accounts_id_of_named",
            "id",
            sqlite_where=text("external_id IS NOT NULL"),
            postgresql_where=text("external_id IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(String(256))
    email_canonical: Mapped[str | None] = mapped_column(String(512), unique=True)
    email_verified_at: Mapped[datetime | None]
    username: Mapped[str | None] = mapped_column(String(50))
    username_canonical: Mapped[str | None] = mapped_column(String(50), unique=True)
    name: Mapped[str | None] = mapped_column(String(256))
    password_hash: Mapped[str | None] = mapped_column(String(100))
    password_scheme: Mapped[str | None] = mapped_column(String(50))
    plan: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]
    # The operator's own name for the account.
    external_id: Mapped[str | None] = mapped_column(String(255))
    # The operator's `metadata`, a name that SQLAlchemy's models use themselves.
    own_data: Mapped[dict[str, Any] | None] = mapped_column(Json())
    # What replaces limits of the plan: meter, window and size; a size of None removes one.
    limits: Mapped[list[dict[str, Any]] | None] = mapped_column(Json())
    # Whether its owner gets a mail when most of a limit is used.
    limit_mails: Mapped[bool] = mapped_column(default=True, server_default=true())

    @property
    def email_verified(self) -> bool:
        return self.email_verified_at is not None


class PlanOfAccount(NamedTuple):
    """What decides an account's limits; `limits` is its JSON text in the database."""

    account_id: uuid.UUID
    plan: str
    limits: str | None


def find_account(account_id: uuid.UUID) -> Account | None:
    account = db.session.get(Account, account_id)
    return None if account is None or account.status == DELETED else account


def find_by_email(email_canonical: str) -> Account | None:
    return db.session.scalar(select(Account).where(Account.email_canonical == email_canonical))


def find_by_external_id(external_id: str) -> Account | None:
    return db.session.scalar(select(Account).where(Account.external_id == external_id))


def find_many(
    *,
    account_ids: Collection[uuid.UUID],
    emails_canonical: Collection[str] = (),
    external_ids: Collection[str] = (),
) -> list[Account]:
    """The accounts with these ids, addresses or external ids, as far as they exist."""
    query = select(Account).where(
        Account.status != DELETED,
        Account.id.in_(account_ids)
        | Account.email_canonical.in_(emails_canonical)
        | Account.external_id.in_(external_ids),
    )
    return list(db.session.scalars(query))


def find_plans(account_ids: Collection[uuid.UUID]) -> list[PlanOfAccount]:
    """The plans of those of these accounts that are active."""
    query = select(Account.id, Account.plan, type_coerce(Account.limits, Text)).where(
        Account.id.in_(account_ids), Account.status == ACTIVE
    )
    return [PlanOfAccount(*row) for row in db.session.execute(query)]


def find_by_username(username_canonical: str) -> Account | None:
    return db.session.scalar(
        select(Account).where(Account.username_canonical == username_canonical)
    )


def lock_account(account_id: uuid.UUID) -> Account | None:
    """Lock the account until the commit.

    Everything that changes an account's keys, agents or sessions as a whole takes this lock first,
    so that two such changes happen one after the other.
    """
    return db.session.scalar(_locking(), {"account_id": account_id})


@cache
def _locking() -> Select[Account]:
    return (
        select(Account)
        .where(Account.id == bindparam("account_id"), Account.status != DELETED)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def lock_accounts(account_ids: Collection[uuid.UUID]) -> list[Account]:
    """Lock several accounts until the commit, always in the same order, to avoid deadlocks."""
    query = (
        select(Account)
        .where(Account.id.in_(account_ids), Account.status != DELETED)
        .order_by(Account.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(db.session.scalars(query))
