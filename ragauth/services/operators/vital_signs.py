"""What an operator watches beside the counters: whether database and Redis answer, waiting mail."""

import logging
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from ragauth import clock, transaction
from ragauth.database_faults import DatabaseFault, fault_of
from ragauth.extensions import settings
from ragauth.models.database_probe import find_fault
from ragauth.models.outbox_depth import outbox_depth
from ragauth.services.accounts.hashing_gate import hashing_gate
from ragauth.services.operators.readiness import OK, counters_state

log = logging.getLogger("ragauth")


class WaitingMail(NamedTuple):
    """How many mails wait, and the age of the oldest in seconds."""

    mails: int
    oldest_seconds: float


class VitalSigns(NamedTuple):
    """`mail` is None while the database does not answer; `redis_is_up` is None without Redis."""

    database_is_up: bool
    database_is_writable: bool
    mail: WaitingMail | None
    counters_are_up: bool
    redis_is_up: bool | None
    hashing_places: int


def take() -> VitalSigns:
    """Ask database and Redis once; no answer is a result, not an error."""
    mail, fault = _ask_database()
    counters_are_up = counters_state() == OK
    return VitalSigns(
        database_is_up=mail is not None,
        # Another version's schema is no fault: hosts are updated one by one, and writes still work.
        database_is_writable=mail is not None and fault in (None, DatabaseFault.OTHER_SCHEMA),
        mail=mail,
        counters_are_up=counters_are_up,
        redis_is_up=counters_are_up if settings().redis_url else None,
        hashing_places=hashing_gate.places,
    )


def _ask_database() -> tuple[WaitingMail | None, DatabaseFault | None]:
    """The waiting mail, None if the database does not answer; and why it would refuse a write."""
    mail = None
    try:
        with transaction.read_only():
            mail = _waiting_mail()
            return mail, find_fault()
    except SQLAlchemyError as error:
        if mail is None:
            log.warning("the outbox was not counted", extra={"cause": type(error).__name__})
        return mail, fault_of(error) or DatabaseFault.UNREACHABLE


def _waiting_mail() -> WaitingMail:
    depth = outbox_depth(now=clock.now())
    if depth.oldest_at is None:
        return WaitingMail(0, 0)
    return WaitingMail(depth.mails, max(0.0, (clock.now() - depth.oldest_at).total_seconds()))
