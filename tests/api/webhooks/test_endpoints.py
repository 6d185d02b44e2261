"""`/api/v1/internal/webhooks`: endpoints, their secrets and their deliveries."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from ragauth.extensions import db
from ragauth.models import OutboxRow, Webhook, WebhookDelivery
from ragauth.models import webhooks as webhook_rows
from ragauth.services.outbox.rounds import Round
from ragauth.services.webhooks.types import CHOSEN, MOST_ENDPOINTS
from tests.cases import for_each
from tests.clients import Client, assert_same_answer, error, issues, ok
from tests.factories.api_keys import make_service_key
from tests.factories.commands import run
from tests.factories.webhooks import WEBHOOKS, deliver, later, service_client
from tests.servers.webhook_receiver import WebhookReceiver, answer, running_receiver

URL = "https://hooks.example.com/ragauth"
ABSENT = "whk_01h455vb4pex5vsknk084sn02q"
ABSENT_DELIVERY = "msg_01h455vb4pex5vsknk084sn02q"
_ID = re.compile(r"whk_[0-9a-z]{26}")
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
_SHOWN = {"id", "url", "events", "is_active", "created_at"}


@pytest.fixture
def service(app: Flask) -> Client:
    return service_client(app)


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def hooked(share_app: Any) -> Client:
    return service_client(share_app(webhook_private_networks=True))


def add(service: Client, **fields: Any) -> dict[str, Any]:
    added: dict[str, Any] = ok(service.post(WEBHOOKS, {"url": URL, **fields}), 201)
    return added


def deliveries(service: Client, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(service.get(f"{WEBHOOKS}/{webhook['id']}/deliveries"))
    return found


def events(app: Flask) -> list[str]:
    lines = run(app, "events", "export").splitlines()
    return [name for line in lines for name in re.findall(r'"name": "(webhook:[a-z_]+)"', line)]


class TestSucceeds:
    @pytest.mark.both_databases
    def test_an_endpoint_is_added_shown_changed_and_removed(
        self, app: Flask, service: Client
    ) -> None:
        added = add(service, events=["api_key.revoked", "limit.reached"])
        secret = added.pop("secret")
        assert _SECRET.fullmatch(secret)
        assert _ID.fullmatch(added["id"])
        assert set(added) == _SHOWN
        assert added["is_active"] is True
        path = f"{WEBHOOKS}/{added['id']}"
        assert ok(service.get(path)) == added
        second = add(service)
        assert second["events"] is None
        listed = service.get(WEBHOOKS)
        assert ok(listed) == [added, {name: second[name] for name in _SHOWN}]
        assert secret not in listed.text
        for changes in (
            {"url": "https://other.example.com/"},
            {"events": None},
            {"events": ["account.created"]},
            {"is_active": False},
            {"is_active": True},
            {},
        ):
            added |= changes
            assert ok(service.patch(path, changes)) == added == ok(service.get(path))
        ok(service.delete(path), 204)
        error(service.get(path), 404, "NOT_FOUND")
        assert len(ok(service.get(WEBHOOKS))) == 1
        assert events(app)[:3] == ["webhook:added", "webhook:added", "webhook:changed"]
        assert events(app)[-1] == "webhook:removed"
        assert "example.com" not in run(app, "events", "export"), "a URL may hold a secret"

    @pytest.mark.both_databases
    def test_a_secret_is_stored_sealed_and_shown_once(self, app: Flask, service: Client) -> None:
        """S27"""
        added = add(service)
        rotated = ok(service.post(f"{WEBHOOKS}/{added['id']}/rotate-secret"))
        assert _SECRET.fullmatch(rotated["secret"])
        assert rotated["secret"] != added["secret"]
        assert {name: rotated[name] for name in _SHOWN} == {name: added[name] for name in _SHOWN}
        with app.app_context(), db.engine.connect() as connection:
            (row,) = connection.execute(select(Webhook.__table__)).all()
        for secret in (added["secret"], rotated["secret"]):
            assert secret.encode() not in row.secret + row.old_secret
            assert secret not in str(row)

    def test_a_test_is_delivered(self, hooked: Client, receiver: WebhookReceiver) -> None:
        webhook = add(hooked, url=receiver.url, events=["api_key.leaked"])
        queued = ok(hooked.post(f"{WEBHOOKS}/{webhook['id']}/test"), 202)
        assert (queued["type"], queued["state"]) == ("webhook.test", "pending")
        assert deliver(hooked.app) == Round(sent=1)
        assert receiver.received[0].message["data"] == {
            "account_id": None,
            "webhook_id": webhook["id"],
        }
        [delivery] = deliveries(hooked, webhook)
        assert (delivery["id"], delivery["state"]) == (queued["id"], "delivered")

    @pytest.mark.both_databases
    def test_deliveries_come_in_pages_newest_first(self, service: Client) -> None:
        webhook = add(service)
        tests = [ok(service.post(f"{WEBHOOKS}/{webhook['id']}/test"), 202) for _ in range(5)]
        found: list[str] = []
        query = ""
        while True:
            page = service.get(f"{WEBHOOKS}/{webhook['id']}/deliveries?limit=2{query}").get_json()
            found += [each["id"] for each in page["data"]]
            if page["meta"]["next_cursor"] is None:
                break
            query = f"&cursor={page['meta']['next_cursor']}"
        assert found == [each["id"] for each in reversed(tests)]

    @pytest.mark.both_databases
    def test_what_waits_is_tried_at_once_and_what_was_delivered_again(
        self, hooked: Client, receiver: WebhookReceiver
    ) -> None:
        receiver.behaviour = answer(500)
        webhook = add(hooked, url=receiver.url)
        delivery = ok(hooked.post(f"{WEBHOOKS}/{webhook['id']}/test"), 202)
        retry = f"{WEBHOOKS}/{webhook['id']}/deliveries/{delivery['id']}/retry"
        assert deliver(hooked.app) == Round(postponed=1)
        assert deliver(hooked.app) == Round()
        receiver.behaviour = answer(200)
        assert ok(hooked.post(retry), 202)["state"] == "pending"
        assert deliver(hooked.app) == Round(sent=1)
        again = ok(hooked.post(retry), 202)
        assert (again["state"], again["attempts"]) == ("pending", 2)
        assert deliver(hooked.app) == Round(sent=1)
        assert len({each.id for each in receiver.received}) == 1
        [after] = deliveries(hooked, webhook)
        assert (after["state"], after["attempts"]) == ("delivered", 3)

    @pytest.mark.both_databases
    def test_switching_off_or_removing_gives_up_what_waits(
        self, app: Flask, service: Client
    ) -> None:
        webhook, other = add(service), add(service)
        for each in (webhook, other):
            ok(service.post(f"{WEBHOOKS}/{each['id']}/test"), 202)
        ok(service.patch(f"{WEBHOOKS}/{webhook['id']}", {"is_active": False}))
        [delivery] = deliveries(service, webhook)
        assert (delivery["state"], delivery["cause"]) == (
            "failed",
            "the endpoint is switched off",
        )
        ok(service.delete(f"{WEBHOOKS}/{other['id']}"), 204)
        with app.app_context(), db.engine.connect() as connection:
            for table, count in ((OutboxRow, 0), (WebhookDelivery, 1)):
                assert connection.scalar(select(func.count()).select_from(table)) == count

    @pytest.mark.both_databases
    def test_deliveries_are_kept_for_30_days(self, app: Flask, service: Client) -> None:
        webhook = add(service)
        ok(service.post(f"{WEBHOOKS}/{webhook['id']}/test"), 202)
        with later(timedelta(days=29)):
            run(app, "cleanup")
            assert len(deliveries(service, webhook)) == 1
        with later(timedelta(days=31)):
            assert '"deleted_webhook_deliveries": 1' in run(app, "cleanup", "--json")
        assert deliveries(service, webhook) == []


@pytest.mark.every_database
class TestRaces:
    @for_each("first", ["change", "removal"])
    def test_no_change_fails_while_an_endpoint_is_removed(
        self,
        app: Flask,
        service: Client,
        client: Client,
        monkeypatch: pytest.MonkeyPatch,
        first: str,
    ) -> None:
        """A message to it would have no endpoint, and what it tells of would be refused."""
        member, webhook = client.sign_up(), add(service)

        def change() -> None:
            ok(member.client.post("/api/auth/api-keys", {"name": "any"}), 201)

        def remove() -> None:
            ok(service.delete(f"{WEBHOOKS}/{webhook['id']}"), 204)

        begun, locks, second = {
            "change": (change, "hold_active", remove),
            "removal": (remove, "lock_webhook", change),
        }[first]
        lock = getattr(webhook_rows, locks)
        meeting: list[Future[None]] = []

        def lock_and_let_the_other_come(*arguments: Any) -> Any:
            locked = lock(*arguments)
            if not meeting:
                meeting.append(threads.submit(second))
                # It waits for the commit; if it did not, it would be done by then.
                wait(meeting, 0.3)
            return locked

        monkeypatch.setattr(webhook_rows, locks, lock_and_let_the_other_come)
        with ThreadPoolExecutor(1) as threads:
            begun()
        [met] = meeting
        met.result()
        monkeypatch.setattr(webhook_rows, locks, lock)
        with app.app_context(), db.engine.connect() as connection:
            for table in (WebhookDelivery, OutboxRow):
                is_message = table.webhook_id.is_not(None)
                left = select(func.count()).select_from(table).where(is_message)
                assert connection.scalar(left) == 0


class TestRejectsInput:
    @for_each(
        "url",
        [
            *("", "x", "http://hooks.example.com/", "https://user:pw@hooks.example.com/"),
            *("https://hooks.example.com/#x", "https://2130706433/", "https://a.example/\0"),
            *("https://a.example/\ud800", "https://" + "x" * 60_000, "https://[fe80::1%25lo]/"),
            *(None, 5, ["https://hooks.example.com/"], {}, True),
        ],
    )
    def test_a_url_that_is_none(self, service: Client, url: Any) -> None:
        assert set(issues(service.post(WEBHOOKS, {"url": url}))) == {("url",)}
        webhook = add(service)
        path = f"{WEBHOOKS}/{webhook['id']}"
        assert set(issues(service.patch(path, {"url": url}))) == {("url",)}
        assert ok(service.get(path))["url"] == URL

    def test_a_url_in_another_script_is_stored_in_its_one_form(self, service: Client) -> None:
        assert add(service, url="https://BÜCHER.example/ä")["url"] == (
            "https://xn--bcher-kva.example/%C3%A4"
        )

    def test_an_unknown_type_is_told_the_known_ones(self, service: Client) -> None:
        found = issues(service.post(WEBHOOKS, {"url": URL, "events": ["api_key.stolen"]}))
        assert set(found) == {("events", 0)}
        (message,) = found.values()
        assert [name for name in CHOSEN if name not in message] == []
        assert "webhook.test" not in message

    @for_each("events", [[], "api_key.revoked", [None], [5], [["x"]], {}])
    def test_events_that_are_no_list_of_types(self, service: Client, events: Any) -> None:
        found = issues(service.post(WEBHOOKS, {"url": URL, "events": events}))
        assert {path[0] for path in found} == {"events"}

    def test_unknown_fields_and_nulls(self, service: Client) -> None:
        body = {"url": URL, "secret": "whsec_mine", "is_active": True, "id": ABSENT}
        assert set(issues(service.post(WEBHOOKS, body))) == {("secret",), ("is_active",), ("id",)}
        path = f"{WEBHOOKS}/{add(service)['id']}"
        assert set(issues(service.patch(path, {"is_active": None, "secret": "x"}))) == {
            ("is_active",),
            ("secret",),
        }

    def test_there_is_a_bounded_number(self, service: Client) -> None:
        for _ in range(MOST_ENDPOINTS):
            last = add(service)
        error(service.post(WEBHOOKS, {"url": URL}), 409, "CONFLICT")
        ok(service.delete(f"{WEBHOOKS}/{last['id']}"), 204)
        add(service)

    @pytest.mark.both_databases
    def test_of_two_at_once_the_last_place_is_for_one(
        self, app: Flask, service: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sender has a thread for each: with more, a healthy one could wait for ill ones."""
        for _ in range(MOST_ENDPOINTS - 1):
            add(service)
        counted, meeting = webhook_rows.count_webhooks, threading.Barrier(2)

        def count_together() -> int:
            found = counted()
            with suppress(threading.BrokenBarrierError):
                meeting.wait(0.3)
            return found

        monkeypatch.setattr(webhook_rows, "count_webhooks", count_together)
        with ThreadPoolExecutor(2) as threads:
            added = threads.map(lambda _: service.post(WEBHOOKS, {"url": URL}), range(2))
            assert sorted(response.status_code for response in added) == [201, 409]

    def test_an_endpoint_that_is_off_is_sent_nothing(self, service: Client) -> None:
        webhook = add(service)
        path = f"{WEBHOOKS}/{webhook['id']}"
        delivery = ok(service.post(f"{path}/test"), 202)
        ok(service.patch(path, {"is_active": False}))
        error(service.post(f"{path}/test"), 409, "CONFLICT")
        error(service.post(f"{path}/deliveries/{delivery['id']}/retry"), 409, "CONFLICT")

    def test_what_there_is_not(self, service: Client) -> None:
        webhook, other = add(service), add(service)
        theirs = ok(service.post(f"{WEBHOOKS}/{other['id']}/test"), 202)["id"]
        for method, path in _ROUTES:
            body = {} if method == "PATCH" else None
            options = {} if body is None else {"json": body}
            error(service.request(method, path, **options), 404, "NOT_FOUND")
        retry = f"{WEBHOOKS}/{webhook['id']}/deliveries/{{}}/retry"
        assert_same_answer(
            service.post(retry.format(theirs)), service.post(retry.format(ABSENT_DELIVERY))
        )


_ROUTES = [
    ("GET", f"{WEBHOOKS}/{ABSENT}"),
    ("PATCH", f"{WEBHOOKS}/{ABSENT}"),
    ("DELETE", f"{WEBHOOKS}/{ABSENT}"),
    ("POST", f"{WEBHOOKS}/{ABSENT}/rotate-secret"),
    ("POST", f"{WEBHOOKS}/{ABSENT}/test"),
    ("GET", f"{WEBHOOKS}/{ABSENT}/deliveries"),
    ("POST", f"{WEBHOOKS}/{ABSENT}/deliveries/{ABSENT_DELIVERY}/retry"),
]


class TestRequiresAuthentication:
    @for_each(("method", "path"), [("GET", WEBHOOKS), ("POST", WEBHOOKS), *_ROUTES])
    def test_a_service_key_with_the_scope_is_needed(
        self, app: Flask, client: Client, method: str, path: str
    ) -> None:
        member = client.sign_up()
        error(client.request(method, path), 401, "AUTHENTICATION_ERROR", "missing")
        error(
            member.client.request(method, path),
            401,
            "AUTHENTICATION_ERROR",
            "wrong_credential_type",
        )
        error(
            member.key_client.request(method, path),
            401,
            "AUTHENTICATION_ERROR",
            "wrong_credential_type",
        )
        without = client.as_key(make_service_key(app, "verify", "accounts", "usage", "keys"))
        details = error(
            without.request(method, path), 403, "AUTHORIZATION_ERROR", "insufficient_scope"
        )
        assert details["required_scope"] == "webhooks"
