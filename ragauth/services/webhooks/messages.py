"""Messages: written for each endpoint that wants their type, in the transaction of what they tell.

They are sent after the commit (`sending`), in no promised order: `timestamp` tells it.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ragauth import clock, transaction
from ragauth.extensions import current, db
from ragauth.models import outbox as outbox_rows
from ragauth.models import webhook_deliveries as delivery_rows
from ragauth.models import webhooks as webhook_rows
from ragauth.models.base import Shown
from ragauth.security.identifiers import ACCOUNT, encode_id, new_uuid
from ragauth.services.outbox.bell import Bell
from ragauth.services.webhooks.types import TOLD, MessageType

#: How long a message is tried, from its first attempt on.
LIFETIME = timedelta(days=3)

# The key in the session's `info` for what a transaction has read.
_ENDPOINTS = "webhooks_of_transaction"


def queue_message(
    kind: MessageType, *, account_id: uuid.UUID | None, details: Mapping[str, Any]
) -> None:
    """Queue a message to each active endpoint that wants this type, in the present transaction.

    Without endpoints it costs one read in a transaction, however many messages there are.
    """
    endpoints = [
        endpoint for endpoint in _endpoints() if endpoint.events is None or kind in endpoint.events
    ]
    if not endpoints:
        return
    now = clock.now()
    body = compose(kind, account_id, details, at=now)
    for endpoint in endpoints:
        add_message(endpoint.id, kind, body, at=now)


def compose(
    kind: MessageType, account_id: uuid.UUID | None, details: Mapping[str, Any], *, at: datetime
) -> str:
    """The body, in ASCII; of the details it has those that the type may tell."""
    data = {"account_id": account_id and encode_id(ACCOUNT, account_id)}
    data |= {name: details[name] for name in TOLD[kind].example if name in details}
    return json.dumps(
        {"type": kind.value, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data},
        separators=(",", ":"),
    )


def add_message(
    webhook_id: uuid.UUID,
    kind: MessageType,
    body: str,
    *,
    at: datetime,
    due_in: timedelta | None = None,
) -> uuid.UUID:
    """Write a message to an endpoint and wake the sender, in the present transaction."""
    message_id = new_uuid()
    delivery_rows.add(
        id=message_id,
        webhook_id=webhook_id,
        type=kind.value,
        body=body,
        state=delivery_rows.PENDING,
        attempts=0,
        created_at=at,
    )
    queue_again(message_id, webhook_id, kind.value, at=at, due_in=due_in)
    return message_id


def queue_again(
    message_id: uuid.UUID,
    webhook_id: uuid.UUID,
    kind: str,
    *,
    at: datetime,
    due_in: timedelta | None = None,
) -> None:
    """Put a message into the outbox, as if it had not been tried; in the present transaction."""
    due_at = at + (due_in or timedelta())
    outbox_rows.add(
        id=message_id,
        webhook_id=webhook_id,
        template=kind,
        sealed=b"",
        attempts=0,
        next_attempt_at=due_at,
        expires_at=due_at + LIFETIME,
        created_at=at,
    )
    transaction.when_committed(webhook_bell().ring)


def webhook_bell() -> Bell:
    """The bell that this process rings after it committed a message."""
    bell: Bell = current().webhook_bell
    return bell


def _endpoints() -> Sequence[Shown]:
    """The active endpoints, read once in a transaction: until its commit none is deleted."""
    session = db.session()
    known: tuple[object, Sequence[Shown]] = session.info.get(_ENDPOINTS, (None, ()))
    present = session.get_transaction()
    if present is None or known[0] is not present:
        endpoints = webhook_rows.hold_active()
        known = session.info[_ENDPOINTS] = (session.get_transaction(), endpoints)
    return known[1]
