"""How much mail waits to be sent."""

from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import Table, bindparam, func, select

from ragauth.models.base import read_rows
from ragauth.models.outbox import OutboxMail

_MAILS = cast("Table", OutboxMail.__table__)
_DEPTH = (
    select(
        func.count().label("mails"),
        func.min(_MAILS.c.created_at).label("oldest_at"),
        func.count().filter(_MAILS.c.attempts > 0).label("tried"),
    )
    .select_from(_MAILS)
    .where(_MAILS.c.created_at <= bindparam("now"))
)


class OutboxDepth(NamedTuple):
    """How many mails wait, since when the oldest waits, and how many were tried before."""

    mails: int
    oldest_at: datetime | None
    tried: int


def outbox_depth(*, now: datetime) -> OutboxDepth:
    """Count the mail that is due now; mail that is scheduled for later is left out."""
    (depth,) = read_rows(_DEPTH, now=now)
    return OutboxDepth(*depth)
