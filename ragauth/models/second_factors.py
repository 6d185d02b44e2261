"""Second factors: the TOTP secret of an account, and its recovery codes."""

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    LargeBinary,
    UniqueConstraint,
    delete,
    func,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db


class SecondFactor(Base):
    """A TOTP secret (RFC 6238), sealed; it counts once it was confirmed with a first code.

    `last_step` is the time step of the last code that was accepted: none at or before it is
    accepted again.
    """

    __tablename__ = "second_factors"

    account_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)


class RecoveryCode(Base):
    """A code for a lost device, of which a keyed digest is kept; good once."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("account_id", "digest"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    used_at: Mapped[datetime | None]


def find_factor(account_id: uuid.UUID) -> SecondFactor | None:
    """The account's factor, confirmed or not."""
    return db.session.get(SecondFactor, account_id)


def count_recovery_codes(account_id: uuid.UUID) -> int:
    """How many were not used yet."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(RecoveryCode)
            .where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
        )
        or 0
    )


def delete_recovery_codes(account_id: uuid.UUID) -> None:
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def delete_for_account(account_id: uuid.UUID) -> None:
    """Forget the factor, confirmed or not, and its codes."""
    delete_recovery_codes(account_id)
    db.session.execute(delete(SecondFactor).where(SecondFactor.account_id == account_id))
