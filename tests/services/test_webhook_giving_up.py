"""When a message is given up, and when an endpoint is switched off (S50)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from flask import Flask
from sqlalchemy import func, select

from ragauth import clock
from ragauth.extensions import db
from ragauth.models import OutboxRow
from tests.clients import Client, ok
from tests.factories.commands import run
from tests.factories.webhooks import (
    WEBHOOKS,
    add_webhook,
    deliver,
    deliveries_to,
    later,
    service_client,
    shown,
)
from tests.servers.webhook_receiver import WebhookReceiver, answer, running_receiver

CREATED = "account.created"


def waiting(app: Flask) -> int:
    query = select(func.count()).select_from(OutboxRow).where(OutboxRow.webhook_id.is_not(None))
    with app.app_context(), db.engine.connect() as connected:
        return connected.scalar(query) or 0


def _next_attempt(app: Flask) -> datetime | None:
    query = select(OutboxRow.next_attempt_at).where(OutboxRow.webhook_id.is_not(None))
    with app.app_context(), db.engine.connect() as connected:
        return connected.scalar(query)


class TestGivesUp:
    def test_gone_for_three_days(self, hooked: Flask, log: Callable[[], str]) -> None:
        """S50: the waits grow over three days, then the endpoint is switched off, and the log
        says so.
        """
        with running_receiver() as gone:
            pass
        webhook = add_webhook(hooked, gone.url, CREATED)
        Client(hooked).sign_up()
        began, moments = clock.now(), [clock.now()]
        for _ in range(100):
            with later(moments[-1] - clock.now()):
                deliver(hooked)
            if (due := _next_attempt(hooked)) is None:
                break
            moments.append(due + timedelta(milliseconds=1))
        assert not shown(hooked, webhook["id"])["is_active"]
        [delivery] = deliveries_to(hooked, webhook["id"])
        waits = [(after - before).total_seconds() for before, after in pairwise(moments)]
        expected = [5, 30, 120, 600, 1800, 3600, 7200]
        for wait, about in zip(waits, expected, strict=False):
            assert 0.8 * about <= wait <= 1.2 * about + 1
        assert all(4 * 3600 <= wait <= 6 * 3600 + 1 for wait in waits[7:-1])
        assert len({round(wait, 3) for wait in waits[7:-1]}) > 1, "they differ by chance"
        assert timedelta(days=3) <= moments[-1] - began < timedelta(days=3, minutes=1)
        assert (delivery["state"], delivery["cause"]) == ("failed", "connection refused")
        assert delivery["attempts"] == len(moments)
        assert "its endpoint has failed for three days" in log()
        assert waiting(hooked) == 0
        # What happens from now on is not even queued.
        Client(hooked).sign_up()
        assert len(deliveries_to(hooked, webhook["id"])) == 1

    @pytest.mark.both_databases
    def test_three_days_are_over_also_where_much_waits(
        self, hooked: Flask, receiver: WebhookReceiver
    ) -> None:
        """A message that was not tried yet comes before the last try of the first one."""
        receiver.behaviour = answer(500)
        webhook = add_webhook(hooked, receiver.url, CREATED)
        for _ in range(2):
            Client(hooked).sign_up()
        deliver(hooked)
        with later(timedelta(days=3, minutes=1)):
            deliver(hooked)
            assert not shown(hooked, webhook["id"])["is_active"]
        assert len({each.id for each in receiver.received}) == 2
        assert waiting(hooked) == 0

    def test_one_message_that_no_answer_pleases_switches_nothing_off(
        self, hooked: Flask, receiver: WebhookReceiver
    ) -> None:
        webhook = add_webhook(hooked, receiver.url)
        client = Client(hooked)
        client.sign_up()

        def refuse_accounts(handler: object) -> None:
            is_account = receiver.received[-1].type == CREATED
            answer(422 if is_account else 200)(handler)  # type: ignore[arg-type]

        receiver.behaviour = refuse_accounts
        for hours in range(0, 80, 13):
            with later(timedelta(hours=hours)):
                deliver(hooked)
                client.sign_up()
        first = ok(service_client(hooked).get(f"{WEBHOOKS}/{webhook['id']}/deliveries"))[-2:]
        assert sorted((each["type"], each["state"]) for each in first) == [
            (CREATED, "failed"),
            ("api_key.created", "delivered"),
        ]
        assert shown(hooked, webhook["id"])["is_active"]

    @pytest.mark.both_databases
    def test_410_switches_off_at_once(
        self, hooked: Flask, receiver: WebhookReceiver, log: Callable[[], str]
    ) -> None:
        receiver.behaviour = answer(410)
        webhook = add_webhook(hooked, receiver.url)
        Client(hooked).sign_up()
        deliver(hooked)
        assert not shown(hooked, webhook["id"])["is_active"]
        first, second = deliveries_to(hooked, webhook["id"])
        assert (first["state"], first["response_status"]) == ("failed", 410)
        # What waited is not tried, and is not forgotten either.
        assert (second["state"], second["attempts"]) == ("failed", 0)
        assert second["cause"] == "the endpoint is gone"
        assert "its endpoint answered 410" in log()
        assert "could not be sent yet" not in log()
        assert waiting(hooked) == 0
        receiver.behaviour = answer(200)
        run(hooked, "webhooks", "enable", webhook["id"])
        Client(hooked).sign_up()
        assert deliver(hooked).sent == 2
