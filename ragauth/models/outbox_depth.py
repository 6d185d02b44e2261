"""How much mail waits to be sent."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from ragauth.extensions import db
from ragauth.models.outbox import OutboxMail


class OutboxDepth(NamedTuple):
    """How many mails wait, and since when the oldest of them does."""

    mails: int
    oldest_at: datetime | None


def outbox_depth(*, now: datetime) -> OutboxDepth:
    """Not those whose time has yet to come."""
    query = (
        select(func.count(), func.min(OutboxMail.created_at))
        .select_from(OutboxMail)
        .where(OutboxMail.created_at <= now)
    )
    mails, oldest_at = db.session.execute(query).one()
    return OutboxDepth(mails, oldest_at)
