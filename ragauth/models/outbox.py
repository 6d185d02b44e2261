"""The outbox: mail to be sent, written in the transaction that caused it."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    Index,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    exists,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import Shown, count_changed, insert_row, read_rows


class OutboxMail(Base):
    """A mail that has not been sent yet; the row is deleted when it has been.

    Recipient and values are sealed (`ragauth.security.sealing`), because they contain tokens. A
    sender claims a mail by increasing `attempts` and postponing `next_attempt_at`: only one of
    several senders gets it, and another one tries again if that sender dies.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(None, "next_attempt_at"),
        Index(None, "account_id"),
        Index("ix_outbox_transport_next_attempt_at", "transport", "next_attempt_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID | None]
    template: Mapped[str] = mapped_column(String(50))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    # `mail`, or `webhook`: then `id` is that of a delivery.
    transport: Mapped[str] = mapped_column(String(10), default="mail", server_default="mail")


# Built once, on the table: building a statement, or passing it through the ORM, takes longer than
# executing it.
_MAILS = cast("Table", OutboxMail.__table__)
_DUE, _POSTPONED = (
    select(*_MAILS.c).where(condition).order_by(_MAILS.c.next_attempt_at).limit(bindparam("most"))
    for condition in (
        _MAILS.c.next_attempt_at <= bindparam("now"),
        _MAILS.c.next_attempt_at > bindparam("latest"),
    )
)
_CLAIM = (
    update(_MAILS)
    .where(_MAILS.c.id == bindparam("mail_id"), _MAILS.c.attempts == bindparam("present"))
    .values(attempts=_MAILS.c.attempts + 1, next_attempt_at=bindparam("until"))
)
_REMOVE = delete(_MAILS).where(_MAILS.c.id == bindparam("mail_id"))


def add(**values: Any) -> None:
    """Insert a mail."""
    insert_row(OutboxMail, **values)


def list_due(*, now: datetime, latest: datetime, limit: int) -> list[Shown]:
    """The mails that have been due for longest, as plain rows.

    Those postponed beyond `latest` are due too (wrong clock).
    """
    return read_rows(_DUE, now=now, most=limit) or read_rows(_POSTPONED, latest=latest, most=limit)


def claim(mail_id: uuid.UUID, *, attempts: int, until: datetime) -> bool:
    """Compare and swap on the number of attempts: one of several senders gets True."""
    given = {"mail_id": mail_id, "present": attempts, "until": until}
    return db.session.connection().execute(_CLAIM, given).rowcount > 0


def postpone(mail_id: uuid.UUID, *, until: datetime) -> None:
    db.session.execute(
        update(OutboxMail)
        .where(OutboxMail.id == mail_id)
        .values(next_attempt_at=until)
        .execution_options(synchronize_session=False)
    )


def has_failed() -> bool:
    """Whether a mail waits that was tried before."""
    return bool(db.session.scalar(select(exists().where(OutboxMail.attempts > 0))))


def remove(mail_id: uuid.UUID) -> bool:
    """Delete a mail; False if another sender has deleted it."""
    return db.session.connection().execute(_REMOVE, {"mail_id": mail_id}).rowcount > 0


def remove_of_account(account_id: uuid.UUID, *, templates: Sequence[str] | None = None) -> None:
    """Delete an account's mail, of some templates or of all."""
    query = delete(OutboxMail).where(OutboxMail.account_id == account_id)
    if templates is not None:
        query = query.where(OutboxMail.template.in_(templates))
    db.session.execute(query)


def remove_all() -> int:
    """Delete all mail that waits; returns how many."""
    return count_changed(delete(OutboxMail))


def has_one(account_id: uuid.UUID, *, template: str) -> bool:
    """Whether a mail of this template waits for the account."""
    query = select(OutboxMail.id).where(
        OutboxMail.account_id == account_id, OutboxMail.template == template
    )
    return db.session.scalar(query.limit(1)) is not None


def list_of_account(account_id: uuid.UUID) -> list[OutboxMail]:
    return list(db.session.scalars(select(OutboxMail).where(OutboxMail.account_id == account_id)))
