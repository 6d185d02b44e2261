"""Deliveries: each message to each webhook, what it says and what became of it."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    String,
    Table,
    Text,
    Uuid,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import (
    Page,
    Shown,
    count_changed,
    insert_row,
    page_statement,
    read_page,
    read_rows,
)
from ragauth.models.outbox import OutboxRow

PENDING = "pending"
DELIVERED = "delivered"
FAILED = "failed"
LONGEST_CAUSE = 200


class WebhookDelivery(Base):
    """One message to one endpoint. While it is to be sent, the outbox has a row of the same id."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index(None, "webhook_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    # With its type, which the statements below need before the other table is known.
    webhook_id: Mapped[uuid.UUID] = mapped_column(
        Uuid(), ForeignKey("webhooks.id", ondelete="CASCADE")
    )
    type: Mapped[str] = mapped_column(String(50))
    body: Mapped[str] = mapped_column(Text)
    # `pending`, `delivered` or `failed`.
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    last_attempt_at: Mapped[datetime | None]
    # What the endpoint answered last, and why the last attempt failed.
    response_status: Mapped[int | None]
    cause: Mapped[str | None] = mapped_column(String(LONGEST_CAUSE))
    created_at: Mapped[datetime]


_DELIVERIES = cast("Table", WebhookDelivery.__table__)
_ROWS = cast("Table", OutboxRow.__table__)
_SHOWN = (
    select(
        *(column for column in _DELIVERIES.c if column.name != "body"),
        _ROWS.c.next_attempt_at,
    )
    .select_from(_DELIVERIES.outerjoin(_ROWS, _ROWS.c.id == _DELIVERIES.c.id))
    .where(_DELIVERIES.c.webhook_id == bindparam("webhook_id"))
)
_FIRST_PAGE, _NEXT_PAGE = (
    page_statement(_SHOWN, _DELIVERIES.c.id, goes_on=goes_on) for goes_on in (False, True)
)
_ONE = _SHOWN.where(_DELIVERIES.c.id == bindparam("delivery_id"))


def add(**values: Any) -> None:
    """Insert a delivery."""
    insert_row(WebhookDelivery, **values)


def list_deliveries(webhook_id: uuid.UUID, *, limit: int, cursor: uuid.UUID | None) -> Page[Shown]:
    """The deliveries of an endpoint, without their bodies."""
    statement = _FIRST_PAGE if cursor is None else _NEXT_PAGE
    return read_page(statement, limit=limit, cursor=cursor, webhook_id=webhook_id)


def find_shown(webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> Shown | None:
    """One delivery of an endpoint, as `list_deliveries` has it."""
    rows = read_rows(_ONE, webhook_id=webhook_id, delivery_id=delivery_id)
    return rows[0] if rows else None


def find_delivery(delivery_id: uuid.UUID) -> WebhookDelivery | None:
    return db.session.get(WebhookDelivery, delivery_id)


def note_attempt(
    delivery_id: uuid.UUID, *, state: str, at: datetime, status: int | None, cause: str | None
) -> None:
    """Count an attempt, and note how it went."""
    _change(
        update(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id)
        .values(
            state=state,
            attempts=WebhookDelivery.attempts + 1,
            last_attempt_at=at,
            response_status=status,
            cause=cause and cause[:LONGEST_CAUSE],
        )
    )


def make_pending(delivery_id: uuid.UUID) -> None:
    _change(update(WebhookDelivery).where(WebhookDelivery.id == delivery_id).values(state=PENDING))


def fail(delivery_ids: Sequence[uuid.UUID], *, cause: str) -> None:
    """Note that deliveries were given up."""
    _change(
        update(WebhookDelivery)
        .where(WebhookDelivery.id.in_(delivery_ids))
        .values(state=FAILED, cause=cause)
    )


def fail_all_pending(*, cause: str) -> int:
    """Give up what waits for any endpoint; returns how many deliveries."""
    query = update(WebhookDelivery).where(WebhookDelivery.state == PENDING)
    return _change(query.values(state=FAILED, cause=cause))


def delete_older(before: uuid.UUID, *, limit: int) -> int:
    """Delete deliveries before an id (UUIDv7, so by time); returns how many."""
    return _delete(WebhookDelivery.id < before, limit)


def delete_of_webhook(webhook_id: uuid.UUID, *, limit: int) -> int:
    """Delete deliveries of an endpoint; returns how many."""
    return _delete(WebhookDelivery.webhook_id == webhook_id, limit)


def _delete(which: ColumnElement[bool], limit: int) -> int:
    oldest: Select[uuid.UUID] = (
        select(WebhookDelivery.id).where(which).order_by(WebhookDelivery.id).limit(limit)
    )
    return _change(delete(WebhookDelivery).where(WebhookDelivery.id.in_(oldest)))


def _change(statement: Any) -> int:
    return count_changed(statement.execution_options(synchronize_session=False))
