"""How much mail waits to be sent."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from ragauth.extensions import db
from ragauth.models.outbox import OutboxMail


class OutboxDepth(NamedTuple):
    """How many mails wait, since when the oldest does, and how many were tried in vain before."""

    mails: int
    oldest_at: datetime | None
    tried: int


def outbox_depth(*, now: datetime) -> OutboxDepth:
    """Count what is due now; mail that is scheduled for later is left out."""
    query = (
        select(
            func.count(),
            func.min(OutboxMail.created_at),
            func.count().filter(OutboxMail.attempts > 0),
        )
        .select_from(OutboxMail)
        .where(OutboxMail.created_at <= now)
    )
    return OutboxDepth(*db.session.execute(query).one())
