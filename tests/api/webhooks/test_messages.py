"""What webhooks are told: each type once it happens, in the transaction of what it tells of."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from ragauth import clock, transaction
from ragauth.clock import format_time
from ragauth.extensions import db
from ragauth.models import WebhookDelivery
from ragauth.models import webhooks as webhook_rows
from ragauth.security.identifiers import new_uuid
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.keys.expiry import tell_of_expired_keys
from ragauth.services.keys.leaks import report_leaks
from ragauth.services.webhooks.types import TOLD, MessageType
from tests.api.telling.told import use_tokens
from tests.clients import PASSWORD, Client, ok
from tests.factories.accounts import resume, set_plan, suspend
from tests.factories.policies import metered
from tests.factories.webhooks import WEBHOOKS, add_webhook, later, service_client

MakeApp = Callable[..., Flask]
URL = "https://hooks.example.com/ragauth?token=of-the-operator"
POLICY = metered(others="tokens = { day = 100 }")


def messages(app: Flask) -> list[dict[str, Any]]:
    """The messages to all endpoints, oldest first."""
    query = select(WebhookDelivery.type, WebhookDelivery.body).order_by(WebhookDelivery.id)
    with app.app_context(), db.engine.connect() as connection:
        found = connection.execute(query).all()
    for kind, body in found:
        assert json.loads(body)["type"] == kind
        assert len(body.encode()) < 20_000
    return [json.loads(body) for _, body in found]


def types(app: Flask) -> list[str]:
    return [message["type"] for message in messages(app)]


@pytest.mark.both_databases
def test_a_walk_tells_each_type_and_no_secret(make_app: MakeApp) -> None:
    """S50 and S27: no body has a key, a token, a password, an address, or what anyone typed."""
    app = make_app(policy=POLICY, webhook_private_networks=False)
    webhook = add_webhook(app, URL)
    with app.app_context():
        tell_of_expired_keys()
    client = Client(app, {"User-Agent": "an agent of a user", "X-Forwarded-For": "203.0.113.9"})
    member = client.sign_up(name="Ada Typed", username="ada1815")
    secrets = [webhook["secret"], member.token, member.refresh_token, member.api_key, PASSWORD]
    secrets += [member.email, "Ada Typed", "ada1815", "an agent of a user", "203.0.113.9"]
    secrets += ["of-the-operator", "127.0.0.1", "A name that was typed", "where.it.was"]
    soon = format_time(clock.now() + timedelta(hours=1))
    expiring = member.create_key(name="A name that was typed", expires_at=soon)
    rotated = ok(
        member.client.post(f"/api/auth/api-keys/{expiring['id']}/rotate", {"grace_seconds": 0}), 201
    )
    kept = member.create_key(name="A name that was typed")
    ok(member.client.delete(f"/api/auth/api-keys/{kept['id']}"), 204)
    secrets += [expiring["api_key"], rotated["api_key"], kept["api_key"]]
    use_tokens(member, 80)
    use_tokens(member, 20)
    leak = {"token": member.api_key, "type": "t", "url": "https://where.it.was/", "source": "s"}
    with app.app_context():
        report_leaks([leak])
    set_plan(member, "free")
    suspend(member)
    resume(member)
    with later(timedelta(hours=1, seconds=1)), app.app_context():
        assert tell_of_expired_keys() == 1
    for _ in range(3):
        client.post("/api/auth/token/refresh", {"refresh_token": member.refresh_token})
        client = Client(app, {"User-Agent": "a thief"})
    again = client.log_in(member)
    caller = client.as_user(again["token"])
    ok(caller.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
    ok(service_client(app).post(f"{WEBHOOKS}/{webhook['id']}/test"), 202)

    told = messages(app)
    assert {message["type"] for message in told} == set(MessageType)
    for message in told:
        assert set(message) == {"type", "timestamp", "data"}
        example = TOLD[MessageType(message["type"])].example
        optional = {"by"}
        assert set(example) - optional <= set(message["data"]) <= set(example), message
        if message["type"] != MessageType.TEST and not _of_service(message):
            assert message["data"]["account_id"] == member.id
    everything = json.dumps(told)
    assert [secret for secret in secrets if secret in everything] == []
    assert "@" not in everything
    assert types(app)[:2] == ["account.created", "api_key.created"]
    assert types(app).count("api_key.rotated") == 1
    assert types(app).count("api_key.expired") == 1
    assert types(app).count("session.reuse_detected") == 1
    by_type = {message["type"]: message["data"] for message in told}
    assert by_type["api_key.expired"]["key_id"] == rotated["id"]
    assert by_type["account.plan_changed"] == {
        "account_id": member.id,
        "old_plan": "trial",
        "new_plan": "free",
    }
    assert by_type["limit.reached"]["percent"] == 100


def _of_service(message: dict[str, Any]) -> bool:
    """A service's key, made to ask for the test."""
    return message["type"] == "api_key.created" and message["data"]["account_id"] is None


class TestWhoIsTold:
    def test_each_active_endpoint_of_what_it_has_chosen(self, app: Flask, client: Client) -> None:
        service = service_client(app)
        first = add_webhook(app, URL)
        chosen = add_webhook(app, URL, "api_key.created", "api_key.revoked")
        off = add_webhook(app, URL)
        ok(service.patch(f"{WEBHOOKS}/{off['id']}", {"is_active": False}))
        client.sign_up()
        told = messages(app)
        assert sorted(message["type"] for message in told) == [
            "account.created",
            "api_key.created",
            "api_key.created",
        ]
        # Both are told the same, at the time of the event.
        assert [each["timestamp"] for each in told[1:]] == [told[1]["timestamp"]] * 2
        assert [
            len(ok(service.get(f"{WEBHOOKS}/{each['id']}/deliveries")))
            for each in (first, chosen, off)
        ] == [2, 1, 0]

    def test_nothing_that_is_taken_back_is_told(self, app: Flask) -> None:
        """S50: written in the transaction of what it tells of."""
        add_webhook(app, URL)

        with app.app_context(), suppress(ZeroDivisionError), transaction.unit_of_work():
            audit.record(EventName.ACCOUNT_CREATED, account_id=None, client=OPERATOR)
            raise ZeroDivisionError
        assert messages(app) == []

    def test_imported_keys_are_not_announced_one_by_one(self, app: Flask) -> None:
        add_webhook(app, URL)
        key = {"id": new_uuid(), "account_id": None, "prefix": "imported"}
        with app.app_context(), transaction.unit_of_work():
            audit.record_imported_keys([key], OPERATOR)
        assert messages(app) == []

    def test_events_without_a_type_are_not_told(self, app: Flask, client: Client) -> None:
        member = client.sign_up()
        add_webhook(app, URL)
        client.log_in(member)
        ok(member.client.patch("/api/auth/me", {"name": "Ada"}))
        assert messages(app) == []


class TestCosts:
    def test_without_endpoints_a_transaction_reads_once_and_a_login_never(
        self, app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reads: list[int] = []
        hold = webhook_rows.hold_active
        monkeypatch.setattr(webhook_rows, "hold_active", lambda: reads.append(1) or hold())
        with app.app_context():
            for _ in range(2):
                with transaction.unit_of_work():
                    for _ in range(10):
                        audit.record(EventName.KEY_CREATED, account_id=None, client=OPERATOR)
        assert len(reads) == 2
        member = client.sign_up(name="Ada")
        assert len(reads) == 3
        client.log_in(member)
        assert len(reads) == 3
