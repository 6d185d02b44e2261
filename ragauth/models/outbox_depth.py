"""How much waits to be sent."""

from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import Table, bindparam, func, select

from ragauth.models.base import read_rows
from ragauth.models.outbox import OutboxRow

_ROWS = cast("Table", OutboxRow.__table__)
_MAIL, _WEBHOOKS = (
    select(
        func.count().label("waiting"),
        func.min(_ROWS.c.created_at).label("oldest_at"),
        func.count().filter(_ROWS.c.attempts > 0).label("tried"),
    )
    .select_from(_ROWS)
    .where(line, _ROWS.c.created_at <= bindparam("now"))
    for line in (_ROWS.c.webhook_id.is_(None), _ROWS.c.webhook_id.is_not(None))
)


class OutboxDepth(NamedTuple):
    """How many rows wait, since when the oldest waits, and how many were tried before."""

    waiting: int
    oldest_at: datetime | None
    tried: int


def mail_depth(*, now: datetime) -> OutboxDepth:
    """Count the mail that is due now; mail that is scheduled for later is left out."""
    (depth,) = read_rows(_MAIL, now=now)
    return OutboxDepth(*depth)


def webhooks_depth(*, now: datetime) -> OutboxDepth:
    """Count the messages that wait for webhooks."""
    (depth,) = read_rows(_WEBHOOKS, now=now)
    return OutboxDepth(*depth)
