"""The outbox: mail that is to be sent, written in the transaction of what caused it."""

import uuid
from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db


class OutboxMail(Base):
    """A mail that has not been sent yet; the row goes when it has been.

    Recipient and words are sealed (`ragauth.security.sealing`): they hold tokens. A sender takes
    a mail by moving `next_attempt_at` on, so that of two senders one has it.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "next_attempt_at"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID | None]
    template: Mapped[str] = mapped_column(String(50))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]


def list_of_account(account_id: uuid.UUID) -> list[OutboxMail]:
    return list(db.session.scalars(select(OutboxMail).where(OutboxMail.account_id == account_id)))


def remove_of_account(account_id: uuid.UUID) -> None:
    db.session.execute(delete(OutboxMail).where(OutboxMail.account_id == account_id))
