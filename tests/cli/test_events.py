"""`events export|tail`, and how long events are kept."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from ragauth import clock, transaction
from ragauth.extensions import db
from ragauth.models import Event
from ragauth.security.identifiers import new_uuid
from ragauth.services.operators import events as event_history
from tests.cases import for_each
from tests.cli.conftest import Commands
from tests.clients import PASSWORD, Client, error, ok
from tests.factories.accounts import suspend

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(commands: Commands, *arguments: str) -> list[dict[str, Any]]:
    output = commands.succeed("events", *arguments).output
    return [json.loads(line) for line in output.splitlines()]


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["name"] for event in events]


def at(moment: datetime) -> time_machine.travel:
    return time_machine.travel(moment, tick=False)


class TestExport:
    @pytest.mark.both_databases
    def test_every_event_is_one_json_line_oldest_first(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        suspend(member)
        created, key, suspended = read(commands, "export")
        assert set(created) == {*("id", "account_id", "name", "at", "ip", "user_agent", "details")}
        assert created["name"] == "account:created"
        assert created["id"].startswith("evt_")
        assert created["account_id"] == key["account_id"] == member.id
        assert (created["ip"], suspended["user_agent"]) == ("127.0.0.1", "operator")
        assert created["at"].endswith("Z")
        assert names([key, suspended]) == ["api_key:created", "account:suspended"]

    @pytest.mark.both_databases
    def test_more_than_a_batch_is_read_without_a_gap_or_a_double(
        self, commands: Commands, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_history, "_BATCH", 2)
        for _ in range(3):
            client.sign_up()
        found = read(commands, "export")
        assert len({event["id"] for event in found}) == len(found) == 6
        assert found == sorted(found, key=lambda event: event["id"])

    @pytest.mark.both_databases
    def test_a_span_of_time_begins_with_its_since_and_ends_before_its_until(
        self, commands: Commands, client: Client
    ) -> None:
        member = client.sign_up()
        for hour in range(4):
            with at(NOON + timedelta(hours=hour)):
                client.post("/api/auth/login", {"email": member.email, "password": "wrong"})
        span = ("--since", "2026-03-01T14:00:00+01:00", "--until", "2026-03-01T15:00:00Z")
        assert [event["at"] for event in read(commands, "export", *span)] == [
            "2026-03-01T13:00:00Z",
            "2026-03-01T14:00:00Z",
        ]

    @pytest.mark.both_databases
    def test_it_can_be_of_one_account_and_name(self, commands: Commands, client: Client) -> None:
        member, _ = client.sign_up(), client.sign_up()
        for account in (member.id, member.email.upper()):
            found = read(commands, "export", "--account", account)
            assert {event["account_id"] for event in found} == {member.id}
            assert len(found) == 2
        assert len(read(commands, "export", "--name", "account:created")) == 2
        found = read(commands, "export", "--account", member.id, "--name", "account:created")
        assert names(found) == ["account:created"]

    def test_a_deleted_account_is_found_by_its_id(self, commands: Commands, client: Client) -> None:
        member = client.sign_up()
        ok(member.client.post("/api/auth/me/delete", {"password": PASSWORD}), 204)
        found = read(commands, "export", "--account", member.id)
        assert names(found)[-1] == "account:deleted"
        refused = commands.fail("events", "export", "--account", member.email)
        assert refused == f"there is no account {member.email}"

    def test_an_unknown_accounts_failed_login_is_nobodys(
        self, commands: Commands, client: Client
    ) -> None:
        client.post("/api/auth/login", {"email": "nobody@example.com", "password": "wrong"})
        (event,) = read(commands, "export")
        assert (event["name"], event["account_id"]) == ("account:login_failed", None)

    def test_no_text_of_a_client_makes_a_line_or_moves_the_cursor(
        self, commands: Commands, client: Client
    ) -> None:
        """S28: what a user agent says stays within its own line."""
        wire = 'a\u2028b\x85c\x1b[2J","name":"account:deleted'.encode().decode("latin1")
        body = {"email": "nobody@example.com", "password": "wrong"}
        client.post("/api/auth/login", body, headers={"User-Agent": wire})
        output = commands.succeed("events", "export").output
        assert len(output.splitlines()) == 1
        assert output.isascii()
        assert "\x1b" not in output
        assert json.loads(output)["name"] == "account:login_failed"

    def test_nothing_is_no_line(self, commands: Commands) -> None:
        assert commands.succeed("events", "export").output == ""

    @pytest.mark.both_databases
    def test_it_holds_nobody_up_while_its_reader_takes_his_time(
        self, app: Flask, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No transaction is open between two lines."""
        monkeypatch.setattr(event_history, "_BATCH", 2)
        client.sign_up()
        with app.app_context():
            events = event_history.read_events()
            next(events)
            client.sign_up()
            assert len(list(events)) == 3

    @for_each(
        ("option", "value", "fault"),
        [
            ("--since", "yesterday", "Must be an RFC 3339 time such as 2026-01-15T10:30:00Z"),
            ("--until", "2026-01-15", "Must be an RFC 3339 time"),
            ("--account", "acc_1", "Must be acc_ and 26 characters"),
            ("--name", "account:exploded", "is not one of"),
        ],
    )
    def test_what_is_malformed_is_named(
        self, commands: Commands, option: str, value: str, fault: str
    ) -> None:
        message = commands.misuse("events", "export", option, value)
        assert option in message
        assert fault in message


class TestTail:
    def test_it_is_the_latest_oldest_first(self, commands: Commands, client: Client) -> None:
        for _ in range(6):
            client.sign_up()
        everything = read(commands, "export")
        assert read(commands, "tail") == everything[-10:]
        assert read(commands, "tail", "-n", "3") == everything[-3:]
        assert read(commands, "tail", "-n", "0") == []
        found = read(commands, "tail", "-n", "1", "--name", "account:created")
        assert names(found) == ["account:created"]

    def test_it_goes_on_with_what_happens_until_it_is_interrupted(
        self, commands: Commands, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client.sign_up()
        waits = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 4:
                raise KeyboardInterrupt
            client.sign_up()

        # The package has a group of the module's name.
        monkeypatch.setattr(import_module("ragauth.cli.events").time, "sleep", wait)
        found = read(commands, "tail", "-f", "-n", "1")
        assert names(found) == ["api_key:created", *["account:created", "api_key:created"] * 3]
        assert len({event["id"] for event in found}) == len(found)

    def test_an_account_that_is_not_there_is_named(self, commands: Commands) -> None:
        refused = commands.fail("events", "tail", "-f", "--account", "x@example.com")
        assert refused == "there is no account x@example.com"

    @for_each("count", ["-1", "x", "100001"])
    def test_a_number_that_is_none_is_refused(self, commands: Commands, count: str) -> None:
        assert "-n" in commands.misuse("events", "tail", "-n", count)


@pytest.mark.both_databases
class TestFollowing:
    def test_what_was_committed_late_is_not_missed(self, app: Flask) -> None:
        """An event has its id before its transaction ends, and another may overtake it."""
        with app.app_context(), at(NOON) as time:
            late = new_uuid()
            follower = event_history.Follower()
            assert follower.read_latest(10) == []
            time.shift(5)
            early = record()
            assert [event.id for event in follower.read()] == [early]
            time.shift(5)
            record(late)
            assert [event.id for event in follower.read()] == [late]
            time.shift(600)
            newest = record()
            assert [event.id for event in follower.read()] == [newest]
            assert list(follower.read()) == []
            assert len(follower._seen) == 1


def record(identifier: Any = None) -> Any:
    """Write an event of nobody's; returns its id."""
    identifier = identifier or new_uuid()
    with transaction.unit_of_work():
        db.session.add(
            Event(id=identifier, name="account:login_failed", at=clock.now(), details={})
        )
    return identifier


@pytest.mark.both_databases
class TestRetention:
    def count(self, app: Flask) -> int:
        with app.app_context(), db.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(Event)) or 0

    def test_cleanup_forgets_what_is_older_than_is_kept(
        self, app: Flask, make_app: Callable[..., Flask], client: Client
    ) -> None:
        with at(NOON - timedelta(days=90)):
            member = client.sign_up()
        with at(NOON - timedelta(days=89)):
            client.log_in(member)
        with at(NOON + timedelta(milliseconds=1)):
            commands = Commands(make_app(event_days=90))
            assert commands.succeed("cleanup", "--json").json["deleted_events"] == 2
            (event,) = read(commands, "export")
            assert event["name"] == "account:login_succeeded"
            assert commands.succeed("cleanup", "--json").json["deleted_events"] == 0

    def test_a_year_is_kept_by_default(self, commands: Commands, client: Client) -> None:
        with at(NOON - timedelta(days=365)):
            client.sign_up()
        with at(NOON):
            assert commands.succeed("cleanup", "--json").json["deleted_events"] == 0
        with at(NOON + timedelta(seconds=1)):
            assert commands.succeed("cleanup", "--json").json["deleted_events"] == 2

    def test_failed_logins_of_unknown_accounts_go_sooner(
        self, app: Flask, commands: Commands, client: Client
    ) -> None:
        with at(NOON - timedelta(days=31)):
            member = client.sign_up()
            for email in ("nobody@example.com", member.email):
                response = client.post("/api/auth/login", {"email": email, "password": "wrong"})
                error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        with at(NOON):
            assert commands.succeed("cleanup", "--json").json["deleted_events"] == 1
        assert self.count(app) == 3

    def test_more_than_a_batch_is_forgotten_in_one_go(
        self, app: Flask, commands: Commands, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The package has a command of the module's name.
        monkeypatch.setattr(import_module("ragauth.cli.cleanup"), "_BATCH", 2)
        with at(NOON - timedelta(days=400)):
            for _ in range(3):
                client.sign_up()
        with at(NOON):
            assert commands.succeed("cleanup", "--json").json["deleted_events"] == 6
        assert self.count(app) == 0

    def test_its_help_tells_what_decides(self, commands: Commands) -> None:
        assert "RAGAUTH_EVENT_DAYS" in commands.succeed("cleanup", "--help").output
