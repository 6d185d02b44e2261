"""Endpoints of webhooks, as an operator sets them, and rounds of sending."""

import json
from datetime import timedelta
from typing import Any

import time_machine
from flask import Flask

from ragauth import clock
from ragauth.services.outbox.rounds import Round
from ragauth.services.webhooks.sending import list_endpoints_with_due, send_due_messages
from tests.clients import Client, ok
from tests.factories.api_keys import make_service_key
from tests.factories.commands import run

WEBHOOKS = "/api/v1/internal/webhooks"


def add_webhook(app: Flask, url: str, *events: str) -> dict[str, Any]:
    options = [part for event in events for part in ("--event", event)]
    added: dict[str, Any] = json.loads(run(app, "webhooks", "add", url, *options, "--json"))
    return added


def deliver(app: Flask) -> Round:
    """One round for each endpoint for which something is due, one after another."""
    with app.app_context():
        done = [send_due_messages(webhook_id) for webhook_id in list_endpoints_with_due()]
    return Round(
        sum(each.sent for each in done),
        sum(each.postponed for each in done),
        sum(each.given_up for each in done),
    )


def later(delay: timedelta) -> time_machine.travel:
    return time_machine.travel(clock.now() + delay, tick=True)


def service_client(app: Flask) -> Client:
    return Client(app).as_key(make_service_key(app, "webhooks"))


def deliveries_to(app: Flask, webhook_id: str) -> list[dict[str, Any]]:
    """Its deliveries, oldest first, as the command shows them."""
    shown = json.loads(run(app, "webhooks", "show", webhook_id, "--json"))
    return list(reversed(shown["deliveries"]))


def shown(app: Flask, webhook_id: str) -> dict[str, Any]:
    record: dict[str, Any] = ok(service_client(app).get(f"{WEBHOOKS}/{webhook_id}"))
    return record


def a_webhook(app: Flask) -> str:
    """The id of the oldest endpoint, which is added where there is none."""
    listed = json.loads(run(app, "webhooks", "list", "--json"))
    webhook = listed[0] if listed else add_webhook(app, "https://hooks.example.com/ragauth")
    return str(webhook["id"])


def a_delivery(app: Flask, webhook_id: str) -> str:
    """The id of a message that waits for an endpoint."""
    queued = ok(service_client(app).post(f"{WEBHOOKS}/{webhook_id}/test"), 202)
    return str(queued["id"])
