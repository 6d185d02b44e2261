"""What becomes of attempts and of what waits when an endpoint is switched off or changed (S50)."""

from collections.abc import Callable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from itertools import count
from types import ModuleType

import pytest
from flask import Flask

from ragauth.models import outbox as outbox_rows
from ragauth.services.webhooks import sending
from tests.cli.conftest import Commands
from tests.clients import Client, ok
from tests.factories.webhooks import (
    WEBHOOKS,
    add_webhook,
    deliver,
    deliveries_to,
    later,
    service_client,
    shown,
)
from tests.servers.webhook_receiver import Behaviour, WebhookReceiver, answer

CREATED = "account.created"


def first(do: Callable[[], object], then: Behaviour) -> Behaviour:
    """Do something while the sender waits for the answer."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        do()
        then(handler)

    return behave


@pytest.fixture
def webhook_id(hooked: Flask, receiver: WebhookReceiver) -> str:
    added = add_webhook(hooked, receiver.url, CREATED)
    Client(hooked).sign_up()
    return str(added["id"])


@pytest.fixture
def change(hooked: Flask, webhook_id: str) -> Callable[..., object]:
    service, path = service_client(hooked), f"{WEBHOOKS}/{webhook_id}"
    return lambda **fields: ok(service.patch(path, fields))


def faults(app: Flask) -> list[str]:
    told = Commands(app).run("status", "--json").json["faults"]
    return [fault for fault in told if fault.startswith("webhooks")]


def test_what_fails_while_its_endpoint_is_switched_off_waits_no_more(
    hooked: Flask,
    receiver: WebhookReceiver,
    webhook_id: str,
    change: Callable[..., object],
) -> None:
    receiver.behaviour = first(lambda: change(is_active=False), answer(500))
    deliver(hooked)
    [delivery] = deliveries_to(hooked, webhook_id)
    assert (delivery["state"], delivery["next_attempt_at"]) == ("failed", None)
    assert delivery["cause"] == "the endpoint is switched off"
    # Whoever switched it off knows that.
    with later(timedelta(hours=2)):
        assert faults(hooked) == []


def test_the_410_of_the_url_of_before_does_not_switch_the_new_one_off(
    hooked: Flask,
    receiver: WebhookReceiver,
    webhook_id: str,
    change: Callable[..., object],
) -> None:
    new = receiver.url.replace("/hooks", "/new")
    receiver.behaviour = first(lambda: change(url=new), answer(410))
    deliver(hooked)
    assert shown(hooked, webhook_id)["is_active"]
    receiver.behaviour = answer(204)
    Client(hooked).sign_up()
    deliver(hooked)
    assert receiver.received[-1].path == "/new"


def test_a_new_url_has_its_own_three_days(
    hooked: Flask,
    receiver: WebhookReceiver,
    webhook_id: str,
    change: Callable[..., object],
) -> None:
    receiver.behaviour = answer(500)
    deliver(hooked)
    with later(timedelta(hours=2)):
        assert faults(hooked) != []
        change(events=None)
        assert faults(hooked) != []
        change(url=receiver.url.replace("/hooks", "/new"))
        assert faults(hooked) == []
    with later(timedelta(days=3, hours=1)):
        deliver(hooked)
        [delivery] = deliveries_to(hooked, webhook_id)
        assert delivery["state"] == "failed"
        assert shown(hooked, webhook_id)["is_active"]


class Killed(BaseException):
    """The process ended here."""


@pytest.mark.both_databases
@pytest.mark.parametrize("goes_on", ["by the sender", "before it is switched on"])
def test_what_waits_is_given_up_in_batches_also_after_a_kill(
    hooked: Flask,
    receiver: WebhookReceiver,
    webhook_id: str,
    change: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
    goes_on: str,
) -> None:
    """What makes messages waits for this no longer than for one batch."""
    for _ in range(4):
        Client(hooked).sign_up()
    monkeypatch.setattr(sending, "_BATCH", 2)
    with monkeypatch.context() as dying:
        kill_at_second(dying, outbox_rows, "take_of_webhook")
        with pytest.raises(Killed):
            change(is_active=False)
    assert not shown(hooked, webhook_id)["is_active"]
    states = [each["state"] for each in deliveries_to(hooked, webhook_id)]
    assert sorted(states) == ["failed"] * 2 + ["pending"] * 3
    if goes_on == "by the sender":
        deliver(hooked)
    else:
        change(is_active=True)
    assert {each["state"] for each in deliveries_to(hooked, webhook_id)} == {"failed"}
    deliver(hooked)
    assert receiver.received == []


def kill_at_second(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
    """Let a process be killed where it calls a function for the second time."""
    calls, call = count(1), getattr(module, name)

    def die(*arguments: object, **keywords: object) -> object:
        if next(calls) == 2:
            raise Killed
        return call(*arguments, **keywords)

    monkeypatch.setattr(module, name, die)
