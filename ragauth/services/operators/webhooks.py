"""The endpoints that operators set for webhooks, and what was delivered to them."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ragauth import clock, transaction
from ragauth.errors import (
    InvalidRequest,
    NoSuchDelivery,
    NoSuchWebhook,
    TooManyWebhooks,
    WebhookIsOff,
)
from ragauth.extensions import db, settings
from ragauth.models import Webhook
from ragauth.models import installation as installation_rows
from ragauth.models import outbox as outbox_rows
from ragauth.models import webhook_deliveries as delivery_rows
from ragauth.models import webhooks as webhook_rows
from ragauth.models.base import Page, Shown
from ragauth.security.identifiers import WEBHOOK, encode_id, first_uuid_at, new_uuid
from ragauth.security.sealing import SealBroken, is_sealed_with
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.webhooks import messages, secrets, sending
from ragauth.services.webhooks.types import MOST_ENDPOINTS, MessageType

#: How long deliveries are kept.
KEPT = timedelta(days=30)
# Longer than a command takes to begin with it: the service that runs beside leaves it alone.
_HELD_BACK = timedelta(minutes=1)
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class IssuedWebhook:
    """An endpoint with its new secret, which is never readable again."""

    webhook: Webhook
    secret: str


def add_webhook(*, url: str, events: list[str] | None = None, client: Client) -> IssuedWebhook:
    """Add an endpoint, which is told of all that happens from now on.

    `url` is in its canonical form (`security.webhook_urls`). Raises InvalidRequest for `http://`
    without RAGAUTH_WEBHOOK_PRIVATE_NETWORKS, TooManyWebhooks.
    """
    _require_allowed(url)
    webhook_id = new_uuid()
    secret, sealed = secrets.make_secret(webhook_id)
    with transaction.unit_of_work():
        # Of several at once each sees those of the others.
        installation_rows.hold_installation()
        if webhook_rows.count_webhooks() >= MOST_ENDPOINTS:
            raise TooManyWebhooks
        webhook = Webhook(
            id=webhook_id,
            url=url,
            events=events,
            is_active=True,
            secret=sealed,
            created_at=clock.now(),
        )
        db.session.add(webhook)
        _record(EventName.WEBHOOK_ADDED, webhook, client)
        db.session.flush()
    return IssuedWebhook(webhook, secret)


def list_webhooks() -> list[Webhook]:
    """All endpoints, oldest first."""
    with transaction.read_only():
        return webhook_rows.list_all()


def get_webhook(*, webhook_id: uuid.UUID) -> Webhook:
    """Raises NoSuchWebhook."""
    with transaction.read_only():
        return _require(webhook_rows.find_webhook(webhook_id))


def change_webhook(*, webhook_id: uuid.UUID, changes: Mapping[str, Any], client: Client) -> Webhook:
    """Change `url`, `events` or `is_active`. Raises NoSuchWebhook, and as `add_webhook` does.

    What waits for an endpoint that is switched off is given up. One that is switched on is told of
    what happens from then on.
    """
    if "url" in changes:
        _require_allowed(changes["url"])
    if changes.get("is_active"):
        # What a process that was killed while it switched the endpoint off has left.
        sending.give_up_waiting(webhook_id)
    with transaction.unit_of_work():
        webhook = _require(webhook_rows.lock_webhook(webhook_id))
        for field, value in changes.items():
            setattr(webhook, field, value)
        if changes.keys() & {"url", "is_active"}:
            webhook.failing_since = None
        if changes:
            _record(EventName.WEBHOOK_CHANGED, webhook, client, fields=sorted(changes))
    if changes.get("is_active") is False:
        sending.give_up_waiting(webhook_id)
    return webhook


def remove_webhook(*, webhook_id: uuid.UUID, client: Client) -> Webhook:
    """Delete an endpoint, its deliveries, and what waits for it. Raises NoSuchWebhook.

    It is switched off first. There may be millions of deliveries, so they go in batches.
    """
    with transaction.unit_of_work():
        _require(webhook_rows.find_webhook(webhook_id))
        sending.switch_off(webhook_id)
    sending.give_up_waiting(webhook_id)
    deleted = _BATCH
    while deleted == _BATCH:
        with transaction.unit_of_work():
            deleted = delivery_rows.delete_of_webhook(webhook_id, limit=_BATCH)
    with transaction.unit_of_work():
        webhook = _require(webhook_rows.lock_webhook(webhook_id))
        # What was queued if it was switched on meanwhile.
        outbox_rows.remove_of_webhook(webhook_id)
        webhook_rows.delete_webhook(webhook_id)
        _record(EventName.WEBHOOK_REMOVED, webhook, client)
        return webhook


def rotate_secret(*, webhook_id: uuid.UUID, client: Client) -> IssuedWebhook:
    """Give an endpoint a new secret; for a day the old one signs too. Raises NoSuchWebhook."""
    secret, sealed = secrets.make_secret(webhook_id)
    with transaction.unit_of_work():
        webhook = _require(webhook_rows.lock_webhook(webhook_id))
        webhook.old_secret, webhook.secret = webhook.secret, sealed
        webhook.old_secret_until = clock.now() + secrets.OVERLAP
        _record(EventName.WEBHOOK_SECRET_ROTATED, webhook, client)
    return IssuedWebhook(webhook, secret)


def list_deliveries(*, webhook_id: uuid.UUID, limit: int, cursor: uuid.UUID | None) -> Page[Shown]:
    """The deliveries to an endpoint, newest first. Raises NoSuchWebhook."""
    with transaction.read_only():
        _require(webhook_rows.find_webhook(webhook_id))
        return delivery_rows.list_deliveries(webhook_id, limit=limit, cursor=cursor)


def retry_delivery(*, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> Shown:
    """Let a delivery be tried now, also one that was delivered or given up.

    Its message has the same id as before. Raises NoSuchWebhook, NoSuchDelivery, WebhookIsOff.
    """
    with transaction.unit_of_work():
        _require_active(webhook_rows.lock_webhook(webhook_id))
        delivery = delivery_rows.find_shown(webhook_id, delivery_id)
        if delivery is None:
            raise NoSuchDelivery
        now = clock.now()
        if outbox_rows.make_due(delivery_id, now=now):
            transaction.when_committed(messages.webhook_bell().ring)
        else:
            messages.queue_again(delivery_id, webhook_id, delivery.type, at=now)
            delivery_rows.make_pending(delivery_id)
        return delivery_rows.find_shown(webhook_id, delivery_id)


def send_test(*, webhook_id: uuid.UUID) -> Shown:
    """Queue a message of the type `webhook.test`. Raises NoSuchWebhook, WebhookIsOff."""
    return _queue_test(webhook_id)


def test_now(*, webhook_id: uuid.UUID) -> Shown:
    """Send such a message in this process, without a service; returns what became of it."""
    delivery = _queue_test(webhook_id, due_in=_HELD_BACK)
    sending.send_message(webhook_id, delivery.id)
    with transaction.read_only():
        return delivery_rows.find_shown(webhook_id, delivery.id)


def _queue_test(webhook_id: uuid.UUID, *, due_in: timedelta = timedelta()) -> Shown:
    with transaction.unit_of_work():
        _require_active(webhook_rows.lock_webhook(webhook_id))
        now = clock.now()
        body = messages.compose(
            MessageType.TEST, None, {"webhook_id": encode_id(WEBHOOK, webhook_id)}, at=now
        )
        message_id = messages.add_message(webhook_id, MessageType.TEST, body, at=now, due_in=due_in)
        return delivery_rows.find_shown(webhook_id, message_id)


def delete_old_deliveries(*, before: datetime, limit: int) -> int:
    """Delete deliveries from before a moment; returns how many."""
    with transaction.unit_of_work():
        return delivery_rows.delete_older(first_uuid_at(before), limit=limit)


def reseal() -> tuple[int, int]:
    """Seal with the present secret key the secrets that an old one sealed.

    Returns how many endpoints were changed, and of how many no secret key opens the secret.
    """
    resealed = unreadable = 0
    with transaction.unit_of_work():
        for webhook in webhook_rows.list_all():
            try:
                if _reseal(webhook):
                    resealed += 1
            except SealBroken:
                unreadable += 1
    return resealed, unreadable


def _reseal(webhook: Webhook) -> bool:
    is_changed = False
    for column in ("secret", "old_secret"):
        sealed = getattr(webhook, column)
        if sealed is not None and not is_sealed_with(
            sealed, secret_key=settings().secret_key, purpose=secrets.SEAL_PURPOSE
        ):
            secret = secrets.open_secret(webhook.id, sealed)
            setattr(webhook, column, secrets.seal_secret(webhook.id, secret))
            is_changed = True
    return is_changed


def _require(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise NoSuchWebhook
    return webhook


def _require_active(webhook: Webhook | None) -> None:
    if not _require(webhook).is_active:
        raise WebhookIsOff


def _require_allowed(url: str) -> None:
    if not url.startswith("https://") and not settings().webhook_private_networks:
        raise InvalidRequest([{"path": ["url"], "message": "Must begin with https://"}])


def _record(name: EventName, webhook: Webhook, client: Client, **details: Any) -> None:
    # The id alone: a URL may hold a secret of the endpoint's.
    audit.record(
        name, account_id=None, client=client, webhook_id=encode_id(WEBHOOK, webhook.id), **details
    )
