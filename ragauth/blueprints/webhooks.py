"""Webhooks: messages to your own systems, signed by Standard Webhooks 1.0."""

from typing import Any

from flask import Blueprint

from ragauth.errors import TooManyWebhooks, WebhookIsOff
from ragauth.models import Webhook
from ragauth.models.base import Page, Shown
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.base import PageQuery
from ragauth.schemas.webhooks import (
    DeliverySchema,
    IssuedWebhookSchema,
    NewWebhookSchema,
    WebhookChangesSchema,
    WebhookSchema,
)
from ragauth.security.scopes import WEBHOOKS
from ragauth.services.operators import webhooks as service
from ragauth.services.operators.webhooks import IssuedWebhook
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

webhooks = Blueprint("webhooks", __name__)
TAG = "Webhooks"


@webhooks.post("")
@endpoint(
    guard=service_key(WEBHOOKS),
    body=NewWebhookSchema,
    data=IssuedWebhookSchema,
    status=201,
    errors=(TooManyWebhooks,),
)
def add_webhook(caller: KeyFacts, body: dict[str, Any]) -> IssuedWebhook:  # noqa: ARG001
    """Add an endpoint, which is told of what happens from now on.

    The answer has the secret that signs its messages; it is not shown again.
    """
    return service.add_webhook(**body, client=current_client())


@webhooks.get("")
@endpoint(guard=service_key(WEBHOOKS), data=WebhookSchema, is_list=True)
def list_webhooks(caller: KeyFacts) -> Page[Webhook]:  # noqa: ARG001
    """All endpoints, oldest first."""
    return Page(service.list_webhooks(), None)


@webhooks.get("/<webhook_id>")
@endpoint(guard=service_key(WEBHOOKS), data=WebhookSchema)
def show_webhook(caller: KeyFacts, webhook_id: Any) -> Webhook:  # noqa: ARG001
    """One endpoint."""
    return service.get_webhook(webhook_id=webhook_id)


@webhooks.patch("/<webhook_id>")
@endpoint(guard=service_key(WEBHOOKS), body=WebhookChangesSchema, data=WebhookSchema)
def change_webhook(
    caller: KeyFacts,  # noqa: ARG001
    body: dict[str, Any],
    webhook_id: Any,
) -> Webhook:
    """Change where messages go, which ones, or switch the endpoint off or on."""
    return service.change_webhook(webhook_id=webhook_id, changes=body, client=current_client())


@webhooks.delete("/<webhook_id>")
@endpoint(guard=service_key(WEBHOOKS), status=204)
def remove_webhook(caller: KeyFacts, webhook_id: Any) -> None:  # noqa: ARG001
    """Remove an endpoint with its deliveries; what waits for it is not sent."""
    service.remove_webhook(webhook_id=webhook_id, client=current_client())


@webhooks.post("/<webhook_id>/rotate-secret")
@endpoint(guard=service_key(WEBHOOKS), data=IssuedWebhookSchema)
def rotate_webhook_secret(caller: KeyFacts, webhook_id: Any) -> IssuedWebhook:  # noqa: ARG001
    """Replace the secret; for 24 hours both sign each message."""
    return service.rotate_secret(webhook_id=webhook_id, client=current_client())


@webhooks.post("/<webhook_id>/test")
@endpoint(guard=service_key(WEBHOOKS), data=DeliverySchema, status=202, errors=(WebhookIsOff,))
def test_webhook(caller: KeyFacts, webhook_id: Any) -> Shown:  # noqa: ARG001
    """Send a message of the type `webhook.test`; its delivery tells how it went."""
    return service.send_test(webhook_id=webhook_id)


@webhooks.get("/<webhook_id>/deliveries")
@endpoint(guard=service_key(WEBHOOKS), query=PageQuery, data=DeliverySchema)
def list_deliveries(
    caller: KeyFacts,  # noqa: ARG001
    query: dict[str, Any],
    webhook_id: Any,
) -> Page[Shown]:
    """What was sent to an endpoint in the last 30 days, newest first, and what became of it."""
    return service.list_deliveries(webhook_id=webhook_id, **query)


@webhooks.post("/<webhook_id>/deliveries/<delivery_id>/retry")
@endpoint(guard=service_key(WEBHOOKS), data=DeliverySchema, status=202, errors=(WebhookIsOff,))
def retry_delivery(caller: KeyFacts, webhook_id: Any, delivery_id: Any) -> Shown:  # noqa: ARG001
    """Send a message again, or now, under the same `webhook-id`."""
    return service.retry_delivery(webhook_id=webhook_id, delivery_id=delivery_id)
