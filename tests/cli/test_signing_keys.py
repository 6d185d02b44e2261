"""`signing-keys rotate|list|retire`, `reseal`, and what `cleanup` does with old keys."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from ragauth import transaction
from ragauth.extensions import db
from ragauth.models import Event
from tests.cases import for_each
from tests.cli.conftest import Commands
from tests.clients import Client, ok
from tests.factories.signing_keys import (
    MovingClock,
    kid_of,
    moving_clock,
    rotate,
    states,
)

_COLUMNS = {
    "kid",
    "state",
    "created_at",
    "signs_from",
    "verifies_until",
    "retired_at",
    "sealed_with",
}
_DAY = 86_400


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MovingClock]:
    with moving_clock(monkeypatch) as moving:
        yield moving


@pytest.fixture
def first(client: Client, clock: MovingClock) -> str:
    """The key that signs."""
    return kid_of(client.sign_up().token)


class TestRotate:
    def test_the_new_key_waits_for_a_quarter_of_an_hour(
        self, commands: Commands, first: str
    ) -> None:
        made = commands.succeed("signing-keys", "rotate", "--json").json
        assert made == {
            "kid": made["kid"],
            "state": "next",
            "created_at": "2026-03-01T12:00:00Z",
            "signs_from": "2026-03-01T12:15:00Z",
            "verifies_until": None,
            "retired_at": None,
            "sealed_with": "present",
        }
        assert made["kid"] != first

    def test_how_long_it_waits_can_be_told(
        self, app: Flask, commands: Commands, first: str, clock: MovingClock
    ) -> None:
        second = rotate(app, "--sign-after", "60")
        clock.shift(59)
        assert states(app) == {first: "signing", second: "next"}
        clock.shift(1)
        assert states(app) == {first: "verifying", second: "signing"}

    def test_in_a_new_installation_a_key_signs_at_once(
        self, app: Flask, clock: MovingClock
    ) -> None:
        second = rotate(app)
        assert sorted(states(app).values()) == ["next", "signing"]
        assert states(app)[second] == "next"

    @for_each("seconds", ["-1", "0", "1", "2592001", "soon"])
    def test_what_does_not_fit_is_named(self, commands: Commands, seconds: str) -> None:
        fault = commands.misuse("signing-keys", "rotate", "--sign-after", seconds)
        assert "--sign-after" in fault

    def test_it_is_an_event_that_names_the_key(self, app: Flask, first: str) -> None:
        second = rotate(app)
        with app.app_context(), transaction.read_only():
            (event,) = db.session.scalars(
                select(Event).where(Event.name == "signing_key:created")
            ).all()
            assert (event.account_id, event.details) == (None, {"kid": second})


class TestList:
    @pytest.mark.both_databases
    def test_it_has_all_keys_by_age_and_nothing_secret(
        self, app: Flask, commands: Commands, first: str, clock: MovingClock
    ) -> None:
        second = rotate(app, "--sign-after", "2")
        clock.shift(2)
        third = rotate(app)
        listed = commands.succeed("signing-keys", "list", "--json").json
        assert [key["kid"] for key in listed] == [first, second, third]
        assert all(set(key) == _COLUMNS for key in listed)
        assert listed[0]["verifies_until"] == "2026-03-08T12:00:02Z"
        page = commands.run("signing-keys", "list", "--limit", "1")
        assert page.errors == f"1 of 3; --limit 0 for all, or --after {first}\n"
        rest = commands.succeed("signing-keys", "list", "--after", first, "--json").json
        assert rest == listed[1:]

    def test_retired_keys_are_shown_on_demand(
        self, app: Flask, commands: Commands, first: str, clock: MovingClock
    ) -> None:
        second = rotate(app, "--sign-after", "2")
        clock.shift(2)
        commands.succeed("signing-keys", "retire", "--yes", first, "--force")
        (key,) = commands.succeed("signing-keys", "list", "--json").json
        assert key["kid"] == second
        arguments = ("signing-keys", "list", "--include-retired", "--json")
        (key, _) = commands.succeed(*arguments).json
        assert (key["kid"], key["state"], key["sealed_with"]) == (first, "retired", None)
        assert key["retired_at"] == "2026-03-01T12:00:02Z"

    def test_a_person_reads_a_table_with_a_head(self, commands: Commands, first: str) -> None:
        head, row = commands.succeed("signing-keys", "list").output.splitlines()
        assert set(head.split()) == _COLUMNS
        assert row.split()[:2] == [first, "signing"]

    def test_without_a_key_there_is_the_head_alone(self, commands: Commands) -> None:
        assert len(commands.succeed("signing-keys", "list").output.splitlines()) == 1


class TestRetire:
    def test_the_key_that_signs_is_refused_with_force_too(
        self, app: Flask, commands: Commands, first: str, clock: MovingClock
    ) -> None:
        for force in ((), ("--force",)):
            line = commands.fail("signing-keys", "retire", "--yes", first, *force)
            assert line == "this key signs; make the next one first: `signing-keys rotate`"
        rotate(app)
        line = commands.fail("signing-keys", "retire", "--yes", first, "--force")
        assert line == "this key signs until 2026-03-01T12:15:00Z"

    def test_one_whose_tokens_are_alive_is_refused_with_the_consequence(
        self, app: Flask, commands: Commands, first: str, clock: MovingClock
    ) -> None:
        rotate(app)
        clock.shift(900)
        line = commands.fail("signing-keys", "retire", "--yes", first)
        assert line == (
            "this key has signed tokens that are good until 2026-03-08T12:15:00Z; with --force"
            " they are refused at once, and whoever holds one must log in again"
        )
        assert (
            commands.succeed("signing-keys", "retire", "--yes", first, "--force").output
            == "retired\n"
        )
        assert states(app)[first] == "retired"

    def test_one_that_never_signed_can_go_until_it_is_about_to(
        self, app: Flask, commands: Commands, first: str, clock: MovingClock
    ) -> None:
        second, third = rotate(app), rotate(app)
        commands.succeed("signing-keys", "retire", "--yes", second)
        clock.shift(898)
        # A worker that has not heard of it yet would sign with it all the same.
        line = commands.fail("signing-keys", "retire", "--yes", third, "--force")
        assert line.startswith("this key signs")
        assert states(app) == {first: "signing", second: "retired", third: "next"}

    def test_an_unknown_or_retired_key_is_one_line(
        self, app: Flask, commands: Commands, first: str
    ) -> None:
        second = rotate(app)
        commands.succeed("signing-keys", "retire", "--yes", second)
        # A kid is 43 characters of base64url, and may begin with a hyphen.
        for kid in (second, "unknown", "-unknown", "--unknown", ""):
            line = commands.fail("signing-keys", "retire", "--yes", kid)
            assert line == f"there is no signing key {kid}, or it is retired"

    def test_it_is_an_event_that_names_the_key(
        self, app: Flask, commands: Commands, first: str
    ) -> None:
        second = rotate(app)
        commands.succeed("signing-keys", "retire", "--yes", second)
        with app.app_context(), transaction.read_only():
            (event,) = db.session.scalars(
                select(Event).where(Event.name == "signing_key:retired")
            ).all()
            assert event.details == {"kid": second}


@pytest.mark.both_databases
class TestReseal:
    def test_what_is_sealed_with_the_present_secret_stays_as_it_is(
        self, commands: Commands, first: str
    ) -> None:
        before = commands.succeed("signing-keys", "list", "--json").json
        answer = commands.succeed("reseal", "--json").json
        assert answer == {
            "signing_keys": 0,
            "unreadable_signing_keys": 0,
            "webhooks": 0,
            "unreadable_webhooks": 0,
            "second_factors": 0,
            "unreadable_second_factors": 0,
        }
        assert commands.succeed("signing-keys", "list", "--json").json == before


@pytest.mark.both_databases
class TestCleanup:
    def test_a_key_is_retired_with_its_last_token_and_forgotten_later(
        self, app: Flask, commands: Commands, client: Client, first: str, clock: MovingClock
    ) -> None:
        """S16: rotating and cleaning up now and then is all there is to do."""

        def clean_up() -> tuple[int, int]:
            done = commands.succeed("cleanup", "--json").json
            return done["retired_signing_keys"], done["deleted_signing_keys"]

        second = rotate(app)
        clock.shift(900)
        member = client.sign_up()
        assert clean_up() == (0, 0)
        clock.shift(7 * _DAY - 1)
        assert clean_up() == (0, 0)
        clock.shift(1)
        assert clean_up() == (1, 0)
        assert states(app) == {first: "retired", second: "signing"}
        clock.shift(30 * _DAY)
        assert clean_up() == (0, 0)
        clock.shift(1)
        # The first one's row stays: without it the next rotation would make one that signs at once.
        assert clean_up() == (0, 0)
        assert states(app) == {first: "retired", second: "signing"}
        third = rotate(app)
        assert states(app)[third] == "next"
        assert states(app)[second] == "signing"
        assert kid_of(member.token) == second
        ok(client.sign_up().client.get("/api/auth/me"))
