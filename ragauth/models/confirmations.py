"""Confirmations: single-use tokens that went out by mail, or between two steps of a login."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    delete,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import count_changed


class Confirmation(Base):
    """A token of which only the SHA-256 is kept; `used_at` is set once, by the first use."""

    __tablename__ = "confirmations"
    __table_args__ = (
        CheckConstraint(
            "purpose IN ('verify_email', 'change_email', 'reset_password', 'second_factor')",
            name="purpose",
        ),
        Index(None, "account_id", "purpose"),
        Index(None, "expires_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(20))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    # The address that is to be confirmed; for `change_email` it is the new one.
    email: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def find_by_digest(digest: bytes) -> Confirmation | None:
    return db.session.scalar(select(Confirmation).where(Confirmation.digest == digest))


def mark_used(confirmation_id: uuid.UUID, *, now: datetime) -> bool:
    """Compare and swap: of simultaneous uses, one gets True."""
    changed = count_changed(
        update(Confirmation)
        .where(Confirmation.id == confirmation_id, Confirmation.used_at.is_(None))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    return changed > 0


def forget_account(account_id: uuid.UUID) -> None:
    """Delete used and unused tokens, because both contain addresses."""
    db.session.execute(delete(Confirmation).where(Confirmation.account_id == account_id))


def delete_unused(account_id: uuid.UUID, *, purposes: Sequence[str]) -> None:
    """Delete unused tokens; used ones stay, so that a second use is distinguished from garbage."""
    db.session.execute(
        delete(Confirmation).where(
            Confirmation.account_id == account_id,
            Confirmation.purpose.in_(purposes),
            Confirmation.used_at.is_(None),
        )
    )


def list_of_account(account_id: uuid.UUID) -> list[Confirmation]:
    return list(
        db.session.scalars(select(Confirmation).where(Confirmation.account_id == account_id))
    )


def delete_all_unused() -> int:
    """Delete all unused tokens of all accounts; returns how many."""
    return count_changed(delete(Confirmation).where(Confirmation.used_at.is_(None)))


def delete_made_after(latest: datetime) -> int:
    """Delete unused tokens that a clock made that was ahead; returns how many."""
    return count_changed(
        delete(Confirmation).where(
            # The index has the ends only: a token that was made after the moment also ends after
            # it.
            Confirmation.expires_at > latest,
            Confirmation.created_at > latest,
            Confirmation.used_at.is_(None),
        )
    )


def delete_expired(*, before: datetime, limit: int) -> int:
    """Delete tokens that expired before a moment; returns how many."""
    expired = select(Confirmation.id).where(Confirmation.expires_at < before).limit(limit)
    return count_changed(
        delete(Confirmation)
        .where(Confirmation.id.in_(expired))
        .execution_options(synchronize_session=False)
    )
