"""Webhooks: endpoints of the operator's, and what was sent to them."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base, Words


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


class WebhookDelivery(Base):
    """One message to one endpoint. While it is to be sent, the outbox has a row of the same id."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index(None, "webhook_id", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(String(50))
    body: Mapped[str] = mapped_column(Text)
    # `pending`, `delivered` or `failed`.
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    last_attempt_at: Mapped[datetime | None]
    response_status: Mapped[int | None]
    cause: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
