"""The outbox: what is to be sent, written in the transaction that caused it.

A row without a `webhook_id` is a mail. Mail, and the messages of each webhook, are separate lines:
one never waits for another.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Index,
    LargeBinary,
    Select,
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
from ragauth.models.plain_writes import write


class OutboxRow(Base):
    """A mail or a webhook's message that waits; the row is deleted when it was sent or given up.

    A mail's recipient and values are sealed (`ragauth.security.sealing`), because they contain
    tokens. The content of a webhook's message is in the delivery with the same id, and `sealed` is
    empty. A sender claims a row by increasing `attempts` and postponing `next_attempt_at`: only one
    of several senders gets it, and another one tries again if that sender dies.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(None, "next_attempt_at"),
        Index(None, "account_id"),
        Index(None, "webhook_id", "next_attempt_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    # A mail's account; a webhook's message outlives the account that it tells of.
    account_id: Mapped[uuid.UUID | None]
    # The mail's template, or the message's type.
    template: Mapped[str] = mapped_column(String(50))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    webhook_id: Mapped[uuid.UUID | None]


# Built once, on the table: building a statement, or passing it through the ORM, takes longer than
# executing it.
_ROWS = cast("Table", OutboxRow.__table__)


class _Due(NamedTuple):
    """The statements that find the due rows of one line: of now, and those of a wrong clock."""

    now: Select[*tuple[Any, ...]]
    postponed: Select[*tuple[Any, ...]]


def _due(line: ColumnElement[bool]) -> _Due:
    rows = select(*_ROWS.c).where(line)
    return _Due(
        *(
            rows.where(moment).order_by(_ROWS.c.next_attempt_at).limit(bindparam("most"))
            for moment in (
                _ROWS.c.next_attempt_at <= bindparam("now"),
                _ROWS.c.next_attempt_at > bindparam("latest"),
            )
        )
    )


_DUE_MAIL = _due(_ROWS.c.webhook_id.is_(None))
_DUE_OF_WEBHOOK = _due(_ROWS.c.webhook_id == bindparam("webhook_id"))
_CLAIM = (
    update(_ROWS)
    .where(_ROWS.c.id == bindparam("row_id"), _ROWS.c.attempts == bindparam("present"))
    .values(attempts=_ROWS.c.attempts + 1, next_attempt_at=bindparam("until"))
)
_REMOVE = delete(_ROWS).where(_ROWS.c.id == bindparam("row_id"))


def add(**values: Any) -> None:
    """Insert a row."""
    insert_row(OutboxRow, **values)


def list_due(
    webhook_id: uuid.UUID | None, *, now: datetime, latest: datetime, limit: int
) -> Sequence[Shown]:
    """The rows of a webhook, or the mails, that have been due for longest, as plain rows.

    Those postponed beyond `latest` are due too (wrong clock).
    """
    due = _DUE_MAIL if webhook_id is None else _DUE_OF_WEBHOOK
    line = {} if webhook_id is None else {"webhook_id": webhook_id}
    return read_rows(due.now, **line, now=now, most=limit) or read_rows(
        due.postponed, **line, latest=latest, most=limit
    )


def find_row(row_id: uuid.UUID) -> OutboxRow | None:
    return db.session.get(OutboxRow, row_id)


def claim(row_id: uuid.UUID, *, attempts: int, until: datetime) -> bool:
    """Compare and swap on the number of attempts: one of several senders gets True."""
    return write(_CLAIM, row_id=row_id, present=attempts, until=until) > 0


def postpone(row_id: uuid.UUID, *, until: datetime, expires_at: datetime) -> bool:
    """Let a row be tried again later; False if it was deleted meanwhile."""
    query = update(OutboxRow).where(OutboxRow.id == row_id)
    query = query.values(next_attempt_at=until, expires_at=expires_at)
    return count_changed(query.execution_options(synchronize_session=False)) > 0


def has_failed_mail() -> bool:
    """Whether a mail waits that was tried before."""
    query = exists().where(OutboxRow.webhook_id.is_(None), OutboxRow.attempts > 0)
    return bool(db.session.scalar(select(query)))


def make_due(row_id: uuid.UUID, *, now: datetime) -> bool:
    """Let a row that waits be tried now; False if there is none."""
    query = update(OutboxRow).where(OutboxRow.id == row_id).values(next_attempt_at=now)
    return count_changed(query.execution_options(synchronize_session=False)) > 0


def remove(row_id: uuid.UUID) -> bool:
    """Delete a row; False if another sender has deleted it."""
    return write(_REMOVE, row_id=row_id) > 0


def remove_of_account(account_id: uuid.UUID, *, templates: Sequence[str] | None = None) -> None:
    """Delete an account's mail, of some templates or of all."""
    query = delete(OutboxRow).where(OutboxRow.account_id == account_id)
    if templates is not None:
        query = query.where(OutboxRow.template.in_(templates))
    db.session.execute(query)


def take_of_webhook(webhook_id: uuid.UUID, *, limit: int) -> list[uuid.UUID]:
    """Delete some of what waits for a webhook; returns the ids."""
    query = select(OutboxRow.id).where(OutboxRow.webhook_id == webhook_id).limit(limit)
    ids = list(db.session.scalars(query))
    db.session.execute(
        delete(OutboxRow).where(OutboxRow.id.in_(ids)).execution_options(synchronize_session=False)
    )
    return ids


def remove_of_webhook(webhook_id: uuid.UUID) -> None:
    """Delete what waits for a webhook."""
    db.session.execute(
        delete(OutboxRow)
        .where(OutboxRow.webhook_id == webhook_id)
        .execution_options(synchronize_session=False)
    )


def remove_all() -> int:
    """Delete all that waits; returns how many."""
    return count_changed(delete(OutboxRow))


def has_one(account_id: uuid.UUID, *, template: str) -> bool:
    """Whether a mail of this template waits for the account."""
    query = select(OutboxRow.id).where(
        OutboxRow.account_id == account_id, OutboxRow.template == template
    )
    return db.session.scalar(query.limit(1)) is not None


def list_of_account(account_id: uuid.UUID) -> list[OutboxRow]:
    return list(db.session.scalars(select(OutboxRow).where(OutboxRow.account_id == account_id)))
