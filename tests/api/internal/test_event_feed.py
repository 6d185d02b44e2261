"""The feed of all accounts' events: oldest first, each once, nothing skipped."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import update

from ragauth import clock, transaction
from ragauth.extensions import db
from ragauth.models import Event, Installation
from ragauth.security.identifiers import EVENT, encode_suffix
from ragauth.services import audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.operators import event_feed
from ragauth.services.operators import events as event_history
from tests.cases import for_each
from tests.clients import Client, Member, error, issues, ok
from tests.factories.api_keys import make_service_key

FEED = "/api/v1/internal/events"


@pytest.fixture(autouse=True)
def no_places(app: Flask) -> None:
    """What other tests gave, perhaps at another time, is forgotten: the table's row stays."""
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(update(Installation.__table__).values(last_place=0))


@pytest.fixture
def service(client: Client) -> Client:
    return client.as_key(make_service_key(client.app, "accounts"))


def page(service: Client, after: str | None = None, **query: object) -> tuple[list[Any], str]:
    """Items and cursor of one page."""
    asked = {**({} if after is None else {"after": after}), **query}
    response = service.get(FEED, query_string=asked)
    items = ok(response)
    return items, response.get_json()["meta"]["next_cursor"]


def follow(service: Client, after: str | None = None, **query: object) -> tuple[list[Any], str]:
    """All items until an empty page, and the last cursor."""
    found: list[Any] = []
    items, after = page(service, after, **query)
    while items:
        found += items
        items, after = page(service, after, **query)
    return found, after


def record(app: Flask, *details: object) -> None:
    """Commit an event for each detail."""
    with app.app_context():
        for number in details:
            with transaction.unit_of_work():
                audit.record(
                    EventName.ACCOUNT_CHANGED, account_id=None, client=OPERATOR, number=number
                )


def numbers(items: list[Any]) -> list[Any]:
    return [item["details"]["number"] for item in items if "number" in item["details"]]


@pytest.mark.both_databases
class TestSucceeds:
    def test_tells_all_accounts_events_oldest_first_as_their_histories_do(
        self, client: Client, service: Client
    ) -> None:
        members = [client.sign_up() for _ in range(2)]
        client.post("/api/auth/login", {"email": "nobody@example.com", "password": "wrong words"})
        items, _ = follow(service)
        assert [item["at"] for item in items] == sorted(item["at"] for item in items)
        for member in members:
            own = ok(member.client.get("/api/auth/events"))
            told = [item for item in items if item["account_id"] == member.id]
            assert told == [{**event, "account_id": member.id} for event in own[::-1]]
        assert [item["name"] for item in items if item["account_id"] is None][-1] == (
            "account:login_failed"
        )

    def test_goes_on_from_the_cursor_which_is_never_null(self, app: Flask, service: Client) -> None:
        _, start = follow(service)
        assert page(service, start) == ([], start)
        record(app, *range(5))
        found, cursor = page(service, start, limit=2)
        assert numbers(found) == [0, 1]
        further, cursor = page(service, cursor, limit=2)
        assert numbers(further) == [2, 3]
        last, cursor = page(service, cursor, limit=2)
        assert numbers(last) == [4]
        assert page(service, cursor) == ([], cursor)
        record(app, 5)
        assert numbers(page(service, cursor)[0]) == [5]
        # The same cursor has the same page again.
        assert page(service, start, limit=2)[0] == found

    def test_tells_events_of_one_name(self, client: Client, service: Client) -> None:
        members = [client.sign_up() for _ in range(3)]
        items, cursor = follow(service, name="account:created", limit=1)
        assert [item["account_id"] for item in items] == [member.id for member in members]
        assert page(service, cursor, name="account:created") == ([], cursor)

    def test_finds_a_rare_name_behind_many_events_without_a_place(
        self, app: Flask, client: Client, service: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_feed, "_BATCH", 2)
        follow(service)
        record(app, *range(15))
        member = client.sign_up()
        [item], cursor = page(service, name="account:created")
        assert item["account_id"] == member.id
        # One request has a bound; the next one goes on.
        record(app, *range(25))
        client.sign_up()
        assert page(service, cursor, name="account:created") == ([], cursor)
        assert len(page(service, cursor, name="account:created")[0]) == 1

    def test_goes_on_after_events_that_were_deleted(self, app: Flask, service: Client) -> None:
        record(app, 1, 2)
        _, cursor = page(service, limit=1)
        _, end = follow(service)
        with app.app_context():
            later = clock.now() + timedelta(seconds=1)
            assert event_history.delete_old_events(before=later, limit=100) >= 2
        assert page(service, cursor) == ([], cursor)
        record(app, 3)
        for after in (cursor, end):
            assert numbers(page(service, after)[0]) == [3]

    def test_tells_of_erased_accounts_what_their_history_has(
        self, client: Client, service: Client
    ) -> None:
        member = client.sign_up()
        first, cursor = follow(service)
        assert any(item["details"] for item in first if item["account_id"] == member.id)
        ok(member.client.post("/api/auth/me/delete", {"password": member.password}), 204)
        [deleted], _ = follow(service, cursor, name="account:deleted")
        assert deleted["account_id"] == member.id
        again, _ = follow(service)
        kept = [item for item in again if item["account_id"] == member.id and item != deleted]
        assert [(item["details"], item["ip"]) for item in kept] == [({}, None)] * len(kept)
        assert member.email not in str(again)


@pytest.mark.both_databases
class TestPlaces:
    def test_follow_the_last_one_when_the_clock_was_set_back(
        self, app: Flask, service: Client
    ) -> None:
        record(app, 1)
        _, cursor = follow(service)
        with time_machine.travel(clock.now() - timedelta(days=400), tick=False):
            record(app, 2)
            found, cursor = follow(service, cursor)
            assert numbers(found) == [2]
        record(app, 3)
        assert numbers(follow(service, cursor)[0]) == [3]

    def test_follow_the_last_one_also_if_its_event_was_deleted_and_the_clock_set_back(
        self, app: Flask, service: Client
    ) -> None:
        record(app, 1)
        _, cursor = follow(service)
        with app.app_context():
            later = clock.now() + timedelta(seconds=1)
            event_history.delete_old_events(before=later, limit=100)
        with time_machine.travel(clock.now() - timedelta(days=400), tick=False):
            record(app, 2)
            assert numbers(follow(service, cursor)[0]) == [2]

    def test_are_new_ones_after_a_backup_was_restored(self, app: Flask, service: Client) -> None:
        """A collector that follows a cursor from after the backup misses nothing."""
        record(app, "before the backup, told")
        _, cursor = follow(service)
        record(app, "before the backup, told after it", "lost")
        _, cursor = follow(service, cursor)
        restore_as_before_the_last_two_were_told(app)
        record(app, "since the restoration")
        found, _ = follow(service, cursor)
        # What was told after the backup is told again, under the same id.
        assert numbers(found) == ["before the backup, told after it", "since the restoration"]


def restore_as_before_the_last_two_were_told(app: Flask) -> None:
    """As a backup would have it that was made before the last event, and before both had places."""
    with app.app_context(), db.engine.begin() as connection:
        rows = Event.__table__
        ids = connection.execute(rows.select().order_by(rows.c.id.desc()).limit(2)).all()
        connection.execute(rows.delete().where(rows.c.id == ids[0].id))
        connection.execute(update(rows).where(rows.c.id == ids[1].id).values(place=None))
        connection.execute(update(Installation.__table__).values(last_place=0))


class TestRejectsInput:
    @for_each(
        "after",
        [
            "",
            "x",
            "0",
            "01h455vb4pex5vsknk084sn02q",
            f"{EVENT}_01h455vb4pex5vsknk084sn02q",
            "2026-02-16.01h455vb4pex5vsknk084sn02q",
            # A place has 63 bits.
            f"feed_{encode_suffix(1 << 63)}",
            "feed_7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "feed_" + "0" * 25,
            "FEED_" + "0" * 26,
            "feed_" + "0" * 26 + "\n",
            "feed_" + "\N{ARABIC-INDIC DIGIT ZERO}" * 26,
            "\x00",
        ],
    )
    def test_a_cursor_of_another_kind_is_named(self, service: Client, after: str) -> None:
        response = service.get(FEED, query_string={"after": after})
        assert set(issues(response)) == {("after",)}

    def test_its_cursor_is_none_of_another_list(self, service: Client) -> None:
        _, cursor = page(service)
        response = service.get("/api/v1/internal/accounts", query_string={"cursor": cursor})
        assert set(issues(response)) == {("cursor",)}

    @for_each(
        ("query", "path"),
        [
            ({"name": "account:unknown"}, "name"),
            ({"name": ""}, "name"),
            ({"limit": "0"}, "limit"),
            ({"limit": "101"}, "limit"),
            ({"cursor": "feed_" + "0" * 26}, "cursor"),
        ],
    )
    def test_other_faults_are_named(
        self, service: Client, query: dict[str, str], path: str
    ) -> None:
        assert set(issues(service.get(FEED, query_string=query))) == {(path,)}

    def test_the_greatest_cursor_is_past_all_events(self, app: Flask, service: Client) -> None:
        record(app, 1)
        greatest = f"feed_{encode_suffix((1 << 63) - 1)}"
        assert page(service, greatest) == ([], greatest)


class TestRequiresAuthentication:
    def test_with_the_scope_accounts(self, client: Client) -> None:
        member: Member = client.sign_up()
        error(client.get(FEED), 401, "AUTHENTICATION_ERROR", "missing")
        error(member.key_client.get(FEED), 401, "AUTHENTICATION_ERROR", "wrong_credential_type")
        other = client.as_key(make_service_key(client.app, "usage"))
        error(other.get(FEED), 403, "AUTHORIZATION_ERROR", "insufficient_scope")
