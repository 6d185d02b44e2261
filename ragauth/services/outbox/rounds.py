"""Rounds: send what is due in one line of the outbox, try again later what failed, or give it up.

Each row is sent at least once: a sender that dies between the other side's acceptance and the
removal of the row leaves a row that is sent again, under the same id.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from ragauth import clock, transaction
from ragauth.models import OutboxRow
from ragauth.models import outbox as rows

log = logging.getLogger("ragauth")

# How many are read at a time.
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side took it; `status` is what it answered, if it answers with a number."""

    status: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Not sent, and to be tried again.

    `cause` is for the log, `trouble` is one of the causes in `troubles` if this service is at
    fault. With `is_away` it is of no use to try the next row now.
    """

    cause: str
    status: int | None = None
    trouble: str | None = None
    is_away: bool = False


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Not sent, and not to be tried again; a fault, unless a rule of the house says so."""

    cause: str
    status: int | None = None
    is_fault: bool = True


@dataclass(frozen=True, slots=True)
class Answered:
    """The row was a request that has been answered; it may have queued further rows."""


Settled = Sent | Failed | GivenUp
Outcome = Settled | Answered


class Transport(Protocol):
    """How the rows of one line are sent."""

    #: What a row is called in the log: `mail`.
    noun: str
    #: Longer than one try can take; after that its sender is taken for dead.
    claim: timedelta
    #: The longest wait of a row. One that is due later was postponed under a wrong clock.
    longest_wait: timedelta

    @property
    def webhook_id(self) -> uuid.UUID | None:
        """Whose rows: those of a webhook, or the mails."""

    def send(self, row: OutboxRow) -> Outcome:
        """Try once, outside any transaction; `row.attempts` does not include this try."""

    def next_try(self, row: OutboxRow, now: datetime) -> tuple[datetime, datetime]:
        """When a failed row is tried again, and when it expires."""

    def describe(self, row: OutboxRow) -> dict[str, object]:
        """What the log tells of a row."""

    def note(self, row: OutboxRow, outcome: Settled) -> None:
        """Write what else follows, in the transaction that removed or postponed the row."""

    def settled(self, row: OutboxRow, outcome: Settled) -> None:
        """Do what follows after that transaction."""


@dataclass
class Round:
    """What became of the rows that were due."""

    sent: int = 0
    postponed: int = 0
    given_up: int = 0
    #: The trouble of this service because of which rows were postponed.
    cause: str | None = field(default=None, compare=False)


def send_due(transport: Transport, *, is_stopping: Callable[[], bool] = lambda: False) -> Round:
    """Send all that is due in the transport's line, or stop when the other side is away.

    Any number of processes may run it at once: each row is claimed by one of them.
    """
    done = Round()
    while not is_stopping():
        with transaction.read_only():
            now = clock.now()
            due = rows.list_due(
                transport.webhook_id, now=now, latest=now + transport.longest_wait, limit=_AT_ONCE
            )
        has_answered = False
        for row in due:
            if is_stopping():
                return done
            outcome = send_row(row, transport)
            if outcome is None:
                continue
            _count(outcome, done)
            if isinstance(outcome, Failed) and outcome.is_away:
                return done
            has_answered = has_answered or isinstance(outcome, Answered)
        # A request that was answered has queued a row.
        if len(due) < _AT_ONCE and not has_answered:
            break
    return done


def send_row(row: OutboxRow, transport: Transport) -> Outcome | None:
    """Claim a row, try it once and settle it; None if another sender has claimed it."""
    with transaction.unit_of_work():
        is_ours = rows.claim(row.id, attempts=row.attempts, until=clock.now() + transport.claim)
    if not is_ours:
        return None
    outcome = transport.send(row)
    if not isinstance(outcome, Answered):
        _settle(row, outcome, transport)
    return outcome


def _settle(row: OutboxRow, outcome: Settled, transport: Transport) -> None:
    if isinstance(outcome, Failed):
        now = clock.now()
        until, expires_at = transport.next_try(row, now)
        log.warning(
            "a %s could not be sent yet",
            transport.noun,
            extra={
                **transport.describe(row),
                "cause": outcome.cause,
                "next_attempt_seconds": round((until - now).total_seconds()),
            },
        )
        with transaction.unit_of_work():
            if rows.postpone(row.id, until=until, expires_at=expires_at):
                transport.note(row, outcome)
    else:
        if isinstance(outcome, GivenUp):
            log.log(
                logging.ERROR if outcome.is_fault else logging.WARNING,
                "a %s was given up" if outcome.is_fault else "a %s was left out",
                transport.noun,
                extra={**transport.describe(row), "cause": outcome.cause},
            )
        with transaction.unit_of_work():
            if rows.remove(row.id):
                transport.note(row, outcome)
    transport.settled(row, outcome)


def _count(outcome: Outcome, done: Round) -> None:
    if isinstance(outcome, Sent):
        done.sent += 1
    elif isinstance(outcome, GivenUp):
        done.given_up += 1
    elif isinstance(outcome, Failed):
        done.postponed += 1
        done.cause = outcome.trouble or done.cause
