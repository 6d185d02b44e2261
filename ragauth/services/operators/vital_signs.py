"""What an operator watches beside the counters: whether database and Redis answer, waiting mail."""

import logging
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from ragauth import clock, transaction
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.extensions import settings
from ragauth.models.database_probe import find_fault
from ragauth.models.outbox_depth import OutboxDepth, mail_depth, webhooks_depth
from ragauth.services.accounts.hashing_gate import hashing_gate
from ragauth.services.operators.readiness import OK, counters_state

log = logging.getLogger("ragauth")


class Waiting(NamedTuple):
    """How many rows wait in a line of the outbox, and the age of the oldest in seconds."""

    rows: int
    oldest_seconds: float


class Outbox(NamedTuple):
    mail: Waiting
    webhooks: Waiting


class VitalSigns(NamedTuple):
    """`outbox` is None while the database does not answer; `redis_is_up` is None without Redis."""

    database_is_up: bool
    database_is_writable: bool
    outbox: Outbox | None
    counters_are_up: bool
    redis_is_up: bool | None
    hashing_places: int


def take() -> VitalSigns:
    """Ask database and Redis once; no answer is a result, not an error."""
    outbox, fault = _ask_database()
    counters_are_up = counters_state() == OK
    return VitalSigns(
        database_is_up=outbox is not None,
        # Another version's schema is no fault: hosts are updated one by one, and writes still work.
        database_is_writable=outbox is not None and fault in (None, DatabaseFault.OTHER_SCHEMA),
        outbox=outbox,
        counters_are_up=counters_are_up,
        redis_is_up=counters_are_up if settings().redis_url else None,
        hashing_places=hashing_gate.places,
    )


def _ask_database() -> tuple[Outbox | None, DatabaseFault | None]:
    """What waits, None if the database does not answer; and why it would refuse a write."""
    outbox = None
    try:
        with transaction.read_only():
            now = clock.now()
            outbox = Outbox(_waiting(mail_depth(now=now)), _waiting(webhooks_depth(now=now)))
            return outbox, find_fault()
    except SQLAlchemyError as error:
        if outbox is None:
            log.warning("the outbox was not counted", extra={"cause": type(error).__name__})
        return outbox, fault_of(error) or DatabaseFault.UNREACHABLE


def _waiting(depth: OutboxDepth) -> Waiting:
    if depth.oldest_at is None:
        return Waiting(0, 0)
    return Waiting(depth.waiting, max(0.0, (clock.now() - depth.oldest_at).total_seconds()))
