"""Webhooks: endpoints of the operator's, which are told of what happens."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import LargeBinary, Table, Text, bindparam, delete, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base, Words
from ragauth.extensions import db
from ragauth.models.base import Shown, count_rows, read_rows
from ragauth.models.outbox import OutboxRow


class Webhook(Base):
    """An endpoint. `events` are the types that it is told of; None is all.

    Secrets are sealed (`ragauth.security.sealing`). After a rotation the old one signs too, until
    `old_secret_until`.
    """

    __tablename__ = "webhooks"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    events: Mapped[list[str] | None] = mapped_column(Words())
    is_active: Mapped[bool]
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_secret_until: Mapped[datetime | None]
    # Since when each attempt has failed.
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime]


_WEBHOOKS = cast("Table", Webhook.__table__)
# The lock keeps an endpoint from being deleted until the message to it is committed; it is shared,
# and no other change waits for it. On SQLite a transaction that writes is alone anyway.
_ACTIVE = (
    select(_WEBHOOKS.c.id, _WEBHOOKS.c.events)
    .where(_WEBHOOKS.c.is_active)
    .order_by(_WEBHOOKS.c.id)
    .with_for_update(read=True, key_share=True)
)
_DUE = select(_WEBHOOKS.c.id).where(
    select(OutboxRow.id)
    .where(
        OutboxRow.webhook_id == _WEBHOOKS.c.id,
        or_(
            OutboxRow.next_attempt_at <= bindparam("now"),
            OutboxRow.next_attempt_at > bindparam("latest"),
        ),
    )
    .exists(),
)


def hold_active() -> Sequence[Shown]:
    """The ids and events of the active endpoints, kept from deletion until the commit."""
    return read_rows(_ACTIVE)


def list_with_due(*, now: datetime, latest: datetime) -> list[uuid.UUID]:
    """The endpoints for which a message is due now, or was postponed beyond `latest`."""
    return [row.id for row in read_rows(_DUE, now=now, latest=latest)]


def find_webhook(webhook_id: uuid.UUID) -> Webhook | None:
    return db.session.get(Webhook, webhook_id)


def lock_webhook(webhook_id: uuid.UUID) -> Webhook | None:
    """Lock an endpoint against any other change, and against new messages, until the commit."""
    return db.session.get(Webhook, webhook_id, with_for_update=True, populate_existing=True)


def list_all() -> list[Webhook]:
    return list(db.session.scalars(select(Webhook).order_by(Webhook.id)))


def count_webhooks() -> int:
    return count_rows(select(Webhook.id))


def note_failure(webhook_id: uuid.UUID, *, url: str, now: datetime) -> datetime | None:
    """Note that attempts fail from now on, if they did not fail before; returns since when.

    None if the endpoint was switched off, changed or removed while this `url` was called.
    """
    is_called = (Webhook.id == webhook_id) & (Webhook.url == url) & Webhook.is_active
    db.session.execute(
        update(Webhook)
        .where(is_called, Webhook.failing_since.is_(None))
        .values(failing_since=now)
        .execution_options(synchronize_session=False)
    )
    return db.session.scalar(select(Webhook.failing_since).where(is_called))


def note_success(webhook_id: uuid.UUID) -> None:
    db.session.execute(
        update(Webhook)
        .where(Webhook.id == webhook_id)
        .values(failing_since=None)
        .execution_options(synchronize_session=False)
    )


def delete_webhook(webhook_id: uuid.UUID) -> None:
    """Delete an endpoint and, by the foreign key, its deliveries."""
    db.session.execute(
        delete(Webhook).where(Webhook.id == webhook_id).execution_options(synchronize_session=False)
    )
