"""The background sender of webhooks: at once after a commit, each endpoint by itself."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from ragauth.background import webhooks
from ragauth.background.webhooks import WebhookSender
from tests.clients import Client
from tests.factories.webhooks import add_webhook
from tests.servers.webhook_receiver import WebhookReceiver, answer, running_receiver
from tests.services.senders import running
from tests.waiting import wait_until

CREATED = "account.created"


@pytest.fixture
def other() -> Iterator[WebhookReceiver]:
    with running_receiver() as receiver:
        yield receiver


def test_a_commit_wakes_it_and_it_stops_at_once(
    hooked: Flask, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S35: without a wait for the interval, either way."""
    monkeypatch.setattr(webhooks, "INTERVAL_SECONDS", 3600)
    add_webhook(hooked, receiver.url, CREATED)
    with running(WebhookSender(hooked)):
        for number in range(1, 4):
            Client(hooked).sign_up()
            wait_until(lambda expected=number: len(receiver.received) == expected)


@pytest.mark.both_databases
def test_a_slow_endpoint_holds_up_no_other(
    hooked: Flask,
    receiver: WebhookReceiver,
    other: WebhookReceiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S50: and it is sent one message at a time, by one thread."""
    # The one that is let go at last has failed, and pauses for as long.
    monkeypatch.setattr(webhooks, "INTERVAL_SECONDS", 0.05)
    receiver.behaviour = receiver.wait
    add_webhook(hooked, receiver.url, CREATED)
    add_webhook(hooked, other.url, CREATED)
    with running(WebhookSender(hooked)):
        for _ in range(10):
            Client(hooked).sign_up()
        wait_until(lambda: len(other.received) == 10 and receiver.received)
        assert len(receiver.received) == receiver.most_at_once == 1
        assert other.most_at_once == 1
        receiver.behaviour = answer(204)
        receiver.released.set()
        wait_until(lambda: len(receiver.received) == 10)
        assert receiver.most_at_once == 1


def test_what_is_on_its_way_gets_a_moment_to_arrive(
    hooked: Flask, receiver: WebhookReceiver
) -> None:
    """S35: what has begun is finished; what has not is left to another process."""

    def think(handler: object) -> None:
        time.sleep(0.2)
        answer(204)(handler)  # type: ignore[arg-type]

    receiver.behaviour = think
    add_webhook(hooked, receiver.url, CREATED)
    for _ in range(3):
        Client(hooked).sign_up()
    with running(WebhookSender(hooked)) as sender:
        wait_until(lambda: len(receiver.received) == 1)
        sender.stop()
        arrived = len(receiver.received)
        assert arrived <= 2
    time.sleep(0.05)
    assert len(receiver.received) == arrived


def test_an_endpoint_that_fails_is_not_hammered_whatever_rings(
    hooked: Flask, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "INTERVAL_SECONDS", 3600)
    receiver.behaviour = answer(500)
    add_webhook(hooked, receiver.url, CREATED)
    with running(WebhookSender(hooked)):
        for _ in range(10):
            Client(hooked).sign_up()
        wait_until(lambda: len(receiver.received) >= 1)
        time.sleep(0.1)
        assert len(receiver.received) == 1


def test_a_fault_with_one_endpoint_ends_nothing(
    hooked: Flask,
    receiver: WebhookReceiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "INTERVAL_SECONDS", 0.05)
    faults = []

    def fail(*_arguments: object, **_keywords: object) -> None:
        faults.append(1)
        raise ZeroDivisionError

    add_webhook(hooked, receiver.url, CREATED)
    with running(WebhookSender(hooked)):
        with monkeypatch.context() as faulty:
            faulty.setattr(webhooks, "send_due_messages", fail)
            Client(hooked).sign_up()
            wait_until(lambda: len(faults) >= 2)
        with monkeypatch.context() as faulty:
            faulty.setattr(webhooks, "list_endpoints_with_due", fail)
            before = len(faults)
            wait_until(lambda: len(faults) >= before + 2)
        wait_until(lambda: len(receiver.received) == 1)


def test_what_is_queued_while_a_thread_ends_is_sent_at_once(
    hooked: Flask, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S35: its bell rings while the endpoint still has a thread, which looks no more."""
    monkeypatch.setattr(webhooks, "INTERVAL_SECONDS", 3600)
    send, look = webhooks.send_due_messages, webhooks.list_endpoints_with_due
    looks: list[int] = []

    def look_and_count() -> object:
        looks.append(1)
        return look()

    def send_and_linger(*arguments: Any, **keywords: Any) -> object:
        done = send(*arguments, **keywords)
        if len(receiver.received) == 1:
            before = len(looks)
            Client(hooked).sign_up()
            wait_until(lambda: len(looks) > before)
            time.sleep(0.05)
        return done

    monkeypatch.setattr(webhooks, "list_endpoints_with_due", look_and_count)
    monkeypatch.setattr(webhooks, "send_due_messages", send_and_linger)
    add_webhook(hooked, receiver.url, CREATED)
    with running(WebhookSender(hooked)):
        Client(hooked).sign_up()
        wait_until(lambda: len(receiver.received) == 2)
