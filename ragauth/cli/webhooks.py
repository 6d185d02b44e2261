"""Operators' commands for webhooks."""

import uuid
from typing import Any

import click

from ragauth.cli.output import (
    Group,
    as_json_option,
    confirm,
    one_line_faults,
    print_change,
    print_record,
    print_rows,
    yes_option,
)
from ragauth.cli.parameters import FieldType
from ragauth.models import Webhook
from ragauth.models.webhook_deliveries import DELIVERED
from ragauth.schemas.fields import Id
from ragauth.schemas.webhooks import (
    DeliverySchema,
    IssuedWebhookSchema,
    WebhookSchema,
    WebhookUrl,
)
from ragauth.security.identifiers import WEBHOOK
from ragauth.services.audit import OPERATOR
from ragauth.services.operators import webhooks as service
from ragauth.services.operators.webhooks import IssuedWebhook
from ragauth.services.webhooks.types import CHOSEN

webhooks = Group("webhooks", help="Set the endpoints that are told of what happens.")

_COLUMNS = ("id", "url", "is_active", "events", "created_at")
_DELIVERY_COLUMNS = ("id", "type", "state", "attempts", "response_status", "cause", "created_at")
_LATEST = 10

_webhook_argument = click.argument("webhook_id", type=FieldType("webhook id", Id(WEBHOOK)))


@webhooks.command("add")
@click.argument("url", type=FieldType("url", WebhookUrl()))
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(CHOSEN),
    help="Only this type; may be given more than once. Without it, all types.",
)
@as_json_option
def add(url: str, events: tuple[str, ...], as_json: bool) -> None:
    """Add an endpoint and print its secret, which is not shown again."""
    with one_line_faults():
        issued = service.add_webhook(
            url=url, events=list(dict.fromkeys(events)) or None, client=OPERATOR
        )
        record = _with_secret(issued)
    print_record(record, as_json=as_json)


@webhooks.command("list")
@as_json_option
def list_(as_json: bool) -> None:
    """List the endpoints, oldest first."""
    with one_line_faults():
        rows = [_describe(webhook) for webhook in service.list_webhooks()]
    print_rows(rows, _COLUMNS, as_json=as_json)


@webhooks.command("show")
@_webhook_argument
@as_json_option
def show(webhook_id: uuid.UUID, as_json: bool) -> None:
    """Show an endpoint and its latest deliveries."""
    with one_line_faults():
        record = _describe(service.get_webhook(webhook_id=webhook_id))
        latest = service.list_deliveries(webhook_id=webhook_id, limit=_LATEST, cursor=None)
        deliveries: list[dict[str, Any]] = DeliverySchema(many=True).dump(latest.items)
    if as_json:
        print_record({**record, "deliveries": deliveries}, as_json=True)
        return
    print_record(record, as_json=False)
    if deliveries:
        click.echo()
        print_rows(deliveries, _DELIVERY_COLUMNS, as_json=False)


@webhooks.command("enable")
@_webhook_argument
@as_json_option
def enable(webhook_id: uuid.UUID, as_json: bool) -> None:
    """Switch an endpoint on again; it is told of what happens from now on."""
    with one_line_faults():
        webhook = service.change_webhook(
            webhook_id=webhook_id, changes={"is_active": True}, client=OPERATOR
        )
        record = _describe(webhook)
    print_change("switched on", record, as_json=as_json)


@webhooks.command("rotate")
@_webhook_argument
@as_json_option
def rotate(webhook_id: uuid.UUID, as_json: bool) -> None:
    """Replace the secret and print the new one; for 24 hours both sign each message."""
    with one_line_faults():
        record = _with_secret(service.rotate_secret(webhook_id=webhook_id, client=OPERATOR))
    print_record(record, as_json=as_json)


@webhooks.command("remove")
@_webhook_argument
@yes_option
@as_json_option
def remove(webhook_id: uuid.UUID, yes: bool, as_json: bool) -> None:
    """Remove an endpoint with its deliveries."""
    confirm("The endpoint will be told of nothing any more. Remove it?", yes=yes)
    with one_line_faults():
        record = _describe(service.remove_webhook(webhook_id=webhook_id, client=OPERATOR))
    print_change("removed", record, as_json=as_json)


@webhooks.command("test")
@_webhook_argument
@as_json_option
@click.pass_context
def test(ctx: click.Context, webhook_id: uuid.UUID, as_json: bool) -> None:
    """Send a message of the type webhook.test now, and show what became of it.

    It needs no running service. The exit code is 1 if the message was not delivered; it is then
    tried again as any other.
    """
    with one_line_faults():
        record: dict[str, Any] = DeliverySchema().dump(service.test_now(webhook_id=webhook_id))
    print_record(record, as_json=as_json)
    ctx.exit(0 if record["state"] == DELIVERED else 1)


def _describe(webhook: Webhook) -> dict[str, Any]:
    described: dict[str, Any] = WebhookSchema().dump(webhook)
    return described


def _with_secret(issued: IssuedWebhook) -> dict[str, Any]:
    described: dict[str, Any] = IssuedWebhookSchema().dump(issued)
    return {"secret": described.pop("secret"), **described}
