"""How a webhook's message is sent, tried again and given up.

2xx is success, 410 switches the endpoint off, and everything else is a failure. An endpoint that
has failed for three days is switched off.
"""

import logging
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import TYPE_CHECKING

from ragauth import clock, transaction
from ragauth.extensions import settings
from ragauth.metrics import WEBHOOK_ATTEMPTS
from ragauth.models import OutboxRow, Webhook
from ragauth.models import outbox as outbox_rows
from ragauth.models import webhook_deliveries as delivery_rows
from ragauth.models import webhooks as webhook_rows
from ragauth.security.identifiers import MESSAGE, WEBHOOK, encode_id
from ragauth.security.sealing import SealBroken
from ragauth.security.webhook_signatures import sign
from ragauth.services.outbox import rounds
from ragauth.services.outbox.rounds import Failed, GivenUp, Outcome, Round, Sent, Settled
from ragauth.services.webhooks.messages import LIFETIME
from ragauth.services.webhooks.secrets import signing_secrets
from ragauth.version import VERSION

if TYPE_CHECKING:
    from ragauth.services.webhooks.connection import Connection

log = logging.getLogger("ragauth")

# After each attempt; then five hours, again and again. Each differs by up to a fifth, so that the
# messages of one outage do not come back all at once.
_WAITS_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200)
_LATER_WAIT_SECONDS = 5 * 3600
_JITTER = 0.2
_BATCH = 1_000
_LONGEST_WAIT = timedelta(hours=7)
_GONE, _TOO_MANY, _SERVER_ERROR = 410, 429, 500
SWITCHED_OFF = "the endpoint is switched off"
GONE = "the endpoint is gone"

_random = SystemRandom()


def list_endpoints_with_due() -> list[uuid.UUID]:
    """The endpoints for which a message is due, those that are off too."""
    with transaction.read_only():
        now = clock.now()
        return webhook_rows.list_with_due(now=now, latest=now + _LONGEST_WAIT)


def send_due_messages(
    webhook_id: uuid.UUID, *, is_stopping: Callable[[], bool] = lambda: False
) -> Round:
    """Send all messages to one endpoint that are due, one after another, while it is there.

    For one that is off: give up what waits, if who switched it off has not done so.
    """
    with transaction.read_only():
        webhook = webhook_rows.find_webhook(webhook_id)
    if webhook is not None and not webhook.is_active:
        give_up_waiting(webhook_id)
        return Round()
    with closing(_Messages(webhook_id)) as messages:
        return rounds.send_due(messages, is_stopping=is_stopping)


def send_message(webhook_id: uuid.UUID, message_id: uuid.UUID) -> Outcome | None:
    """Try one message of an endpoint now; None if it does not wait, or another sender has it."""
    with transaction.read_only():
        row = outbox_rows.find_row(message_id)
    if row is None:
        return None
    with closing(_Messages(webhook_id)) as messages:
        return rounds.send_row(row, messages)


def switch_off(webhook_id: uuid.UUID) -> bool:
    """Switch an endpoint off, in the present transaction; returns False if it is off already.

    After the commit nothing is queued for it any more; call `give_up_waiting` then.
    """
    webhook = webhook_rows.lock_webhook(webhook_id)
    if webhook is None or not webhook.is_active:
        return False
    webhook.is_active = False
    return True


def give_up_waiting(webhook_id: uuid.UUID, *, cause: str = SWITCHED_OFF) -> None:
    """Give up what waits for an endpoint that is off, in batches; nothing if it is not off.

    There may be millions, and what creates messages waits for this endpoint's lock.
    """
    given_up = _BATCH
    while given_up == _BATCH:
        with transaction.unit_of_work():
            webhook = webhook_rows.lock_webhook(webhook_id)
            if webhook is None or webhook.is_active:
                return
            message_ids = outbox_rows.take_of_webhook(webhook_id, limit=_BATCH)
            delivery_rows.fail(message_ids, cause=cause)
            given_up = len(message_ids)


class _Messages:
    """The messages' side of `rounds.Transport`, for one endpoint."""

    noun = "webhook"
    # Longer than an attempt with the look-up of a name, whose time is the resolver's.
    claim = timedelta(minutes=2)
    longest_wait = _LONGEST_WAIT

    def __init__(self, webhook_id: uuid.UUID) -> None:
        self.webhook_id = webhook_id
        self._connection: Connection | None = None
        self._url = ""
        self._failed_at: datetime | None = None
        self._was_failing = False

    def send(self, row: OutboxRow) -> Outcome:
        self._failed_at = None
        with transaction.read_only():
            webhook = webhook_rows.find_webhook(self.webhook_id)
            delivery = delivery_rows.find_delivery(row.id)
        if webhook is None or delivery is None or not webhook.is_active:
            return GivenUp(SWITCHED_OFF, is_fault=False)
        self._url, self._was_failing = webhook.url, webhook.failing_since is not None
        body = delivery.body.encode()
        message_id, now = encode_id(MESSAGE, row.id), clock.now()
        timestamp = int(now.timestamp())
        try:
            secrets = signing_secrets(webhook, now)
        except SealBroken as error:
            return self._fail(row, str(error))
        attempt = self._connect(webhook).post(
            body,
            {
                "Content-Type": "application/json",
                "User-Agent": f"ragauth/{VERSION}",
                "webhook-id": message_id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": sign(message_id, timestamp, body, with_secrets=secrets),
            },
        )
        status = attempt.status
        if status is not None and 200 <= status < 300:
            return Sent(status)
        return self._fail(row, attempt.cause or f"status {status}", status)

    def _fail(self, row: OutboxRow, cause: str, status: int | None = None) -> Failed | GivenUp:
        self._failed_at = clock.now()
        if status == _GONE:
            return GivenUp(GONE, status)
        if row.attempts and row.expires_at <= self._failed_at:
            return GivenUp(cause, status)
        # One that refuses a message takes the next one perhaps; one that has moved does not.
        is_away = status is None or status == _TOO_MANY or not 400 <= status < _SERVER_ERROR
        return Failed(cause, status, is_away=is_away)

    def _connect(self, webhook: Webhook) -> "Connection":
        """The connection of this round; a new one after the URL was changed."""
        # httpcore is imported only where there is a webhook.
        from ragauth.services.webhooks.connection import Connection  # noqa: PLC0415

        if self._connection is None or webhook.url != self._connection.url:
            self.close()
            self._connection = Connection(
                webhook.url, allows_private=settings().webhook_private_networks
            )
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def next_try(self, row: OutboxRow, now: datetime) -> tuple[datetime, datetime]:
        """The last try is when the message expires, which is counted from the first one."""
        expires_at = row.expires_at if row.attempts else now + LIFETIME
        waits = _WAITS_SECONDS[row.attempts : row.attempts + 1]
        seconds = (waits[0] if waits else _LATER_WAIT_SECONDS) * _random.uniform(
            1 - _JITTER, 1 + _JITTER
        )
        return min(now + timedelta(seconds=seconds), expires_at), expires_at

    def describe(self, row: OutboxRow) -> dict[str, object]:
        return {
            "webhook_id": encode_id(WEBHOOK, self.webhook_id),
            "message_id": encode_id(MESSAGE, row.id),
            "message_type": row.template,
            "attempt": row.attempts + 1,
        }

    def note(self, row: OutboxRow, outcome: Settled) -> None:
        delivery_rows.note_attempt(
            row.id,
            state=_STATES[type(outcome)],
            at=clock.now(),
            status=outcome.status,
            cause=None if isinstance(outcome, Sent) else outcome.cause,
        )

    def settled(self, row: OutboxRow, outcome: Settled) -> None:
        """Note how the endpoint does, in a transaction of its own: it locks another row first."""
        WEBHOOK_ATTEMPTS.count(_STATES[type(outcome)])
        if self._failed_at is None:
            if self._was_failing:
                with transaction.unit_of_work():
                    webhook_rows.note_success(self.webhook_id)
            return
        with transaction.unit_of_work():
            since = webhook_rows.note_failure(self.webhook_id, url=self._url, now=self._failed_at)
            is_gone = outcome.status == _GONE
            if since is None or not (is_gone or since <= self._failed_at - LIFETIME):
                return
            cause = GONE if is_gone else SWITCHED_OFF
            is_news = switch_off(self.webhook_id)
        if is_news:
            give_up_waiting(self.webhook_id, cause=cause)
            log.error(
                "a webhook was switched off: its endpoint answered 410"
                if is_gone
                else "a webhook was switched off: its endpoint has failed for three days",
                extra={"webhook_id": encode_id(WEBHOOK, self.webhook_id)},
            )


_STATES: dict[type[Settled], str] = {
    Sent: delivery_rows.DELIVERED,
    Failed: delivery_rows.PENDING,
    GivenUp: delivery_rows.FAILED,
}
