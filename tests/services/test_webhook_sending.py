"""Messages to a real receiver that behaves well or badly: signed, sent at least once (S50)."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from standardwebhooks import Webhook as OfficialWebhook
from standardwebhooks import WebhookVerificationError

from ragauth import clock
from ragauth.extensions import db
from ragauth.models import OutboxRow
from ragauth.models import Webhook as WebhookRow
from ragauth.services.outbox.rounds import Round
from ragauth.services.webhooks import connection
from tests.clients import Client, ok
from tests.factories.commands import run
from tests.factories.webhooks import (
    add_webhook,
    deliver,
    deliveries_to,
    later,
)
from tests.servers.node import HAS_NPM, MISSING
from tests.servers.node import run as run_program
from tests.servers.webhook_receiver import (
    Behaviour,
    WebhookReceiver,
    answer,
    close,
    running_receiver,
    say_no_http,
)

MakeApp = Callable[..., Flask]
CREATED = "account.created"
_VERIFY = """
import { Webhook } from "standardwebhooks";
const [secret, body, headers] = JSON.parse(process.argv[2]);
console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
"""


def waiting(app: Flask) -> int:
    query = select(func.count()).select_from(OutboxRow).where(OutboxRow.webhook_id.is_not(None))
    with app.app_context(), db.engine.connect() as connected:
        return connected.scalar(query) or 0


def failing_since(app: Flask) -> object:
    with app.app_context(), db.engine.connect() as connected:
        return connected.scalar(select(WebhookRow.failing_since))


class TestDelivers:
    def test_the_official_packages_verify_what_arrives(
        self, hooked: Flask, receiver: WebhookReceiver, node_modules: Path
    ) -> None:
        """S50: by Standard Webhooks 1.0, with the package of PyPI and that of npm."""
        secret = add_webhook(hooked, receiver.url)["secret"]
        member = Client(hooked).sign_up()
        assert deliver(hooked) == Round(sent=2)
        assert sorted(receiver.types) == [CREATED, "api_key.created"]
        for received in receiver.received:
            verified = OfficialWebhook(secret).verify(received.body, received.headers)
            assert verified == received.message
            assert received.message["data"]["account_id"] == member.id
            assert received.headers["Content-Type"] == "application/json"
            with pytest.raises(WebhookVerificationError):
                OfficialWebhook(secret).verify(received.body + b" ", received.headers)
        assert len({received.id for received in receiver.received}) == 2
        if not HAS_NPM:
            pytest.skip(MISSING)
        program = node_modules.parent / "verify.mjs"
        program.write_text(_VERIFY)
        headers = {name.lower(): value for name, value in receiver.received[0].headers.items()}
        given = json.dumps([secret, receiver.received[0].body.decode(), headers])
        told = run_program("node", str(program), given, folder=node_modules.parent)
        assert json.loads(told) == receiver.received[0].message

    @pytest.mark.both_databases
    def test_a_delivery_tells_how_it_went_and_the_outbox_is_empty(
        self, hooked: Flask, receiver: WebhookReceiver
    ) -> None:
        webhook_id = add_webhook(hooked, receiver.url, CREATED)["id"]
        Client(hooked).sign_up()
        [pending] = deliveries_to(hooked, webhook_id)
        assert (pending["state"], pending["attempts"]) == ("pending", 0)
        assert pending["next_attempt_at"]
        assert deliver(hooked) == Round(sent=1)
        [delivery] = deliveries_to(hooked, webhook_id)
        assert delivery == {
            **pending,
            "state": "delivered",
            "attempts": 1,
            "response_status": 204,
            "last_attempt_at": delivery["last_attempt_at"],
            "next_attempt_at": None,
        }
        assert receiver.received[0].id == delivery["id"]
        assert waiting(hooked) == 0
        assert deliver(hooked) == Round()

    def test_while_a_secret_is_rotated_both_sign(
        self, hooked: Flask, receiver: WebhookReceiver
    ) -> None:
        """S50: for 24 hours; then the old one opens nothing."""
        added = add_webhook(hooked, receiver.url, CREATED)
        Client(hooked).sign_up()
        # What waits already is signed when it is sent.
        new = json.loads(run(hooked, "webhooks", "rotate", added["id"], "--json"))["secret"]
        assert new != added["secret"]
        deliver(hooked)
        for secret in (added["secret"], new):
            OfficialWebhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)
        with later(timedelta(hours=24, seconds=1)):
            Client(hooked).sign_up()
            deliver(hooked)
            last = receiver.received[-1]
            OfficialWebhook(new).verify(last.body, last.headers)
            with pytest.raises(WebhookVerificationError):
                OfficialWebhook(added["secret"]).verify(last.body, last.headers)

    @pytest.mark.both_databases
    def test_of_several_senders_at_once_one_sends_a_message(
        self, hooked: Flask, receiver: WebhookReceiver
    ) -> None:
        add_webhook(hooked, receiver.url, CREATED)
        for _ in range(6):
            Client(hooked).sign_up()
        barrier = Barrier(4)

        def send_too(_number: int) -> int:
            barrier.wait()
            return deliver(hooked).sent

        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(send_too, range(4))) == 6
        assert len(receiver.received) == len({each.id for each in receiver.received}) == 6

    @pytest.mark.both_databases
    def test_what_a_dead_sender_had_claimed_is_sent_by_another(
        self, hooked: Flask, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S50: at least once, even if it arrived already."""
        add_webhook(hooked, receiver.url, CREATED)
        Client(hooked).sign_up()

        class Killed(BaseException):
            pass

        def die(*_arguments: object, **_keywords: object) -> None:
            raise Killed

        with monkeypatch.context() as dying:
            dying.setattr("ragauth.services.outbox.rounds._settle", die)
            with pytest.raises(Killed):
                deliver(hooked)
        assert deliver(hooked) == Round()
        with later(timedelta(minutes=2, seconds=1)):
            assert deliver(hooked) == Round(sent=1)
        first, second = receiver.received
        assert first.id == second.id
        assert first.body == second.body

    def test_one_connection_serves_a_round(self, hooked: Flask, receiver: WebhookReceiver) -> None:
        add_webhook(hooked, receiver.url)
        for _ in range(3):
            Client(hooked).sign_up()
        assert deliver(hooked).sent == 6
        assert receiver.connections == 1


def _answers(status: int, **headers: str) -> Callable[[WebhookReceiver], Behaviour]:
    return lambda _receiver: answer(status, b"no", **headers)


_FAILURES: dict[str, tuple[Callable[[WebhookReceiver], Behaviour], int | None, str]] = {
    "500": (_answers(500), 500, "status 500"),
    "404": (_answers(404), 404, "status 404"),
    "a redirect": (
        _answers(307, Location="http://127.0.0.1:9/elsewhere"),
        307,
        "status 307",
    ),
    "no answer": (lambda _receiver: close, None, "no answer of HTTP"),
    "another protocol": (lambda _receiver: say_no_http, None, "no answer of HTTP"),
    "slow": (lambda receiver: receiver.wait, None, "timed out"),
    "a head that drips": (lambda receiver: receiver.drip, None, "timed out"),
}


class TestTriesAgain:
    @pytest.mark.parametrize("name", _FAILURES)
    def test_what_failed_waits_and_is_sent_later(
        self,
        hooked: Flask,
        receiver: WebhookReceiver,
        monkeypatch: pytest.MonkeyPatch,
        log: Callable[[], str],
        name: str,
    ) -> None:
        """S50: nothing is lost; a redirect is not followed."""
        monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.3)
        behaviour, status, cause = _FAILURES[name]
        receiver.behaviour = behaviour(receiver)
        webhook = add_webhook(hooked, receiver.url, CREATED)
        Client(hooked).sign_up()
        assert deliver(hooked) == Round(postponed=1)
        [delivery] = deliveries_to(hooked, webhook["id"])
        assert (delivery["state"], delivery["response_status"]) == ("pending", status)
        assert delivery["cause"] == cause
        for told in ("a webhook could not be sent yet", webhook["id"], delivery["id"], cause):
            assert told in log()
        assert receiver.url not in log()
        assert webhook["secret"] not in log()
        assert failing_since(hooked) is not None
        # It is not tried at once.
        assert deliver(hooked) == Round()
        assert len(receiver.received) == 1
        receiver.behaviour = answer(200)
        with later(timedelta(seconds=7)):
            assert deliver(hooked) == Round(sent=1)
        first, second = receiver.received
        assert first.id == second.id
        # The time is that of the attempt, so an old signature cannot be sent again.
        assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
        assert failing_since(hooked) is None

    def test_a_receiver_that_is_not_there(self, hooked: Flask) -> None:
        with running_receiver() as receiver:
            pass
        webhook = add_webhook(hooked, receiver.url, CREATED)
        Client(hooked).sign_up()
        assert deliver(hooked) == Round(postponed=1)
        [delivery] = deliveries_to(hooked, webhook["id"])
        assert delivery["cause"] == "connection refused"
        with running_receiver(port=receiver.port) as back, later(timedelta(seconds=7)):
            assert deliver(hooked) == Round(sent=1)
            assert back.types == [CREATED]

    def test_an_endless_body_is_read_a_little_and_its_status_counts(
        self, hooked: Flask, receiver: WebhookReceiver
    ) -> None:
        receiver.behaviour = receiver.flood
        add_webhook(hooked, receiver.url, CREATED)
        Client(hooked).sign_up()
        assert deliver(hooked) == Round(sent=1)
        # What the system's buffers took counts too.
        assert receiver.flooded < 32 * 1024 * 1024

    @pytest.mark.parametrize("status", [503, 429, 302])
    def test_after_a_failure_the_endpoint_is_left_in_peace_until_the_next_round(
        self, hooked: Flask, receiver: WebhookReceiver, status: int
    ) -> None:
        receiver.behaviour = answer(status)
        add_webhook(hooked, receiver.url, CREATED)
        for _ in range(5):
            Client(hooked).sign_up()
        assert deliver(hooked) == Round(postponed=1)
        receiver.behaviour = answer(200)
        assert deliver(hooked) == Round(sent=4)

    def test_a_clock_that_was_ahead_holds_nothing_back(
        self, hooked: Flask, receiver: WebhookReceiver
    ) -> None:
        add_webhook(hooked, receiver.url, CREATED)
        Client(hooked).sign_up()
        with hooked.app_context(), db.engine.begin() as connected:
            connected.execute(
                update(OutboxRow.__table__)
                .where(OutboxRow.webhook_id.is_not(None))
                .values(next_attempt_at=clock.now() + timedelta(days=300))
            )
        assert deliver(hooked) == Round(sent=1)


class TestCosts:
    def test_the_bodies_of_other_apps_answers_are_not_kept(
        self, hooked: Flask, receiver: WebhookReceiver
    ) -> None:
        """S27: an answer may quote what it was sent, and is not written anywhere."""
        receiver.behaviour = answer(500, b"a secret of the receiver's")
        webhook = add_webhook(hooked, receiver.url, CREATED)
        Client(hooked).sign_up()
        deliver(hooked)
        assert "secret of the" not in json.dumps(deliveries_to(hooked, webhook["id"]))


def test_a_secret_key_that_is_gone_postpones_and_a_rotated_one_sends(
    make_app: MakeApp, hooked: Flask, receiver: WebhookReceiver
) -> None:
    webhook = add_webhook(hooked, receiver.url, CREATED)
    Client(hooked).sign_up()
    old = b"a secret of the tests, 32 bytes or more"
    without = make_app(
        webhook_private_networks=True, secret_key=b"another secret, 32 bytes long!!!!"
    )
    assert deliver(without) == Round(postponed=1)
    assert receiver.received == []
    rotated = make_app(
        webhook_private_networks=True,
        secret_key=b"another secret, 32 bytes long!!!!",
        old_secret_keys=(old,),
    )
    assert json.loads(run(rotated, "reseal", "--json"))["webhooks"] == 1
    with later(timedelta(seconds=7)):
        assert deliver(without) == Round(sent=1)
        OfficialWebhook(webhook["secret"]).verify(
            receiver.received[0].body, receiver.received[0].headers
        )
    ok(Client(hooked).get("/healthz"))
