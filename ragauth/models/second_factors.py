"""Second factors: the TOTP secret of an account, and its recovery codes."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    LargeBinary,
    UniqueConstraint,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import count_changed
from ragauth.security.identifiers import new_uuid


class SecondFactor(Base):
    """A sealed TOTP secret (RFC 6238); it counts once it is confirmed with a first code.

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
    """A single-use code for a lost device; only its keyed digest is kept."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("account_id", "digest"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    used_at: Mapped[datetime | None]


def find_factor(account_id: uuid.UUID) -> SecondFactor | None:
    """The account's factor, confirmed or not."""
    return db.session.get(SecondFactor, account_id)


def advance_step(
    account_id: uuid.UUID,
    *,
    step: int,
    furthest_used: int,
    sealed_secret: bytes,
    resealed_secret: bytes,
) -> bool:
    """Compare and swap: of codes of one step or earlier steps, one gets True.

    A stored step beyond `furthest_used` is from a wrong clock, and is ignored. `sealed_secret` is
    that of the row which the code was checked against.
    """
    last_step = SecondFactor.last_step
    changed = count_changed(
        update(SecondFactor)
        .where(
            SecondFactor.account_id == account_id,
            SecondFactor.sealed_secret == sealed_secret,
            last_step.is_(None) | (last_step < step) | (last_step > furthest_used),
        )
        .values(last_step=step, sealed_secret=resealed_secret)
        .execution_options(synchronize_session=False)
    )
    return changed > 0


def replace_secret(account_id: uuid.UUID, *, sealed_secret: bytes, resealed_secret: bytes) -> bool:
    """Compare and swap on the sealed form."""
    changed = count_changed(
        update(SecondFactor)
        .where(SecondFactor.account_id == account_id, SecondFactor.sealed_secret == sealed_secret)
        .values(sealed_secret=resealed_secret)
        .execution_options(synchronize_session=False)
    )
    return changed > 0


def list_account_ids() -> list[uuid.UUID]:
    return list(db.session.scalars(select(SecondFactor.account_id)))


def has_recovery_code(account_id: uuid.UUID, *, digest: bytes) -> bool:
    """Whether the digest is that of an unused code of the account."""
    code = select(RecoveryCode.id).where(
        RecoveryCode.account_id == account_id,
        RecoveryCode.digest == digest,
        RecoveryCode.used_at.is_(None),
    )
    return db.session.scalar(code) is not None


def add_recovery_codes(account_id: uuid.UUID, *, digests: Iterable[bytes]) -> None:
    db.session.add_all(
        RecoveryCode(id=new_uuid(), account_id=account_id, digest=digest, used_at=None)
        for digest in digests
    )


def spend_recovery_code(account_id: uuid.UUID, *, digest: bytes, now: datetime) -> bool:
    """Compare and swap: of many uses at once, one gets True."""
    changed = count_changed(
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account_id,
            RecoveryCode.digest == digest,
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    return changed > 0


def count_recovery_codes(account_id: uuid.UUID) -> int:
    """How many codes are unused."""
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
    """Delete the factor, confirmed or not, and its codes."""
    delete_recovery_codes(account_id)
    db.session.execute(delete(SecondFactor).where(SecondFactor.account_id == account_id))
