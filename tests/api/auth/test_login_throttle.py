"""POST /api/auth/login, again and again: failures are limited, and who they shut out."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from ragauth import clock, transaction
from ragauth.extensions import db
from ragauth.models import Event
from ragauth.models import accounts as account_rows
from ragauth.security.identifiers import ACCOUNT, decode_id
from ragauth.services.accounts.hashing_gate import PLACES, hashing_gate
from ragauth.services.limits import throttles
from tests.cases import for_each
from tests.clients import PASSWORD, Client, Member, assert_same_answer, error, ok
from tests.factories.accounts import suspend

PATH = "/api/auth/login"
PER_ACCOUNT = 3
PER_ADDRESS = 8
HOME, OFFICE, CAFE = "203.0.113.1", "203.0.113.2", "203.0.113.3"


@pytest.fixture
def throttled(share_app: Callable[..., Flask]) -> Flask:
    return share_app(
        login_failures_per_account=PER_ACCOUNT,
        login_failures_per_address=PER_ADDRESS,
        trusted_proxies=1,
    )


@pytest.fixture
def home(throttled: Flask) -> Client:
    return at(throttled, HOME)


@pytest.fixture
def owner(home: Client) -> Member:
    return home.sign_up(username="ada1815")


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


def at(app: Flask, address: str) -> Client:
    """A client at an address that the proxy vouches for."""
    return Client(app, {"X-Forwarded-For": address})


def log_in(client: Client, password: str = PASSWORD, **login: str) -> TestResponse:
    return client.post(PATH, {**login, "password": password})


def fail(client: Client, times: int = 1, **login: str) -> None:
    for _ in range(times):
        response = log_in(client, "a wrong password", **login)
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")


def refused(response: TestResponse, limit: str = "login_failures_per_account") -> dict[str, Any]:
    details = error(response, 429, "RATE_LIMIT_EXCEEDED")
    assert details["limit"] == limit
    assert 0 < int(response.headers["Retry-After"]) <= 300
    return details


def flood(owner: Member, app: Flask) -> None:
    """Strangers guess, each from an address of its own, until none may go on."""
    for number in range(PER_ACCOUNT):
        fail(at(app, f"198.51.100.{number}"), email=owner.email)
    refused(log_in(at(app, "198.51.100.99"), email=owner.email))


class TestAnAccount:
    def test_after_the_last_failure_the_right_password_is_refused_too(
        self, home: Client, owner: Member
    ) -> None:
        """S9: counted on failure."""
        fail(home, PER_ACCOUNT, email=owner.email)
        details = refused(log_in(home, email=owner.email))
        assert details["size"] == PER_ACCOUNT
        assert details["window_seconds"] == 300
        assert details["resets_at"].endswith("Z")

    def test_it_is_over_when_the_window_is(
        self, home: Client, owner: Member, time: time_machine.Traveller
    ) -> None:
        fail(home, email=owner.email)
        time.shift(200)
        fail(home, PER_ACCOUNT - 1, email=owner.email)
        response = log_in(home, email=owner.email)
        refused(response)
        assert response.headers["Retry-After"] == "100"
        time.shift(99)
        refused(log_in(home, email=owner.email))
        time.shift(1)
        ok(log_in(home, email=owner.email))

    def test_it_is_tested_before_any_hash(
        self, home: Client, owner: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S9: with every place for hashing taken the answer is still the throttle's."""
        fail(home, PER_ACCOUNT, email=owner.email)
        monkeypatch.setattr(hashing_gate, "_taken", PLACES)
        browser = {"email": owner.email, "password": PASSWORD}
        refused(home.post(PATH, browser, headers={"Origin": "https://app.test"}))

    def test_a_login_begins_anew(self, home: Client, owner: Member) -> None:
        for _ in range(2):
            fail(home, PER_ACCOUNT - 1, email=owner.email)
            ok(log_in(home, email=owner.email))

    def test_its_two_names_are_one(self, home: Client, owner: Member) -> None:
        fail(home, PER_ACCOUNT - 1, email=owner.email)
        fail(home, username="ADA1815")
        refused(log_in(home, email=owner.email.upper()))
        refused(log_in(home, username="ada1815"))

    def test_the_right_password_of_a_suspended_account_is_no_failure(
        self, home: Client, owner: Member
    ) -> None:
        suspend(owner)
        for _ in range(PER_ACCOUNT + 1):
            response = log_in(home, email=owner.email)
            error(response, 403, "AUTHORIZATION_ERROR", "account_suspended")

    def test_what_is_refused_writes_no_event(
        self, home: Client, owner: Member, throttled: Flask
    ) -> None:
        fail(home, PER_ACCOUNT, email=owner.email)
        for _ in range(5):
            refused(log_in(home, email=owner.email))
        assert owner.event_names().count("account:login_failed") == PER_ACCOUNT
        with throttled.app_context(), db.engine.connect() as connection:
            failed = select(func.count()).where(Event.name == "account:login_failed")
            assert connection.scalar(failed) == PER_ACCOUNT


class TestAtOnce:
    def test_no_more_are_hashed_than_may_fail(self, owner: Member, throttled: Flask) -> None:
        """S9: however many guess at the same instant, and wherever they are."""

        def guess(number: int) -> int:
            stranger = at(throttled, f"198.51.100.{number}")
            return log_in(stranger, f"guess number {number}", email=owner.email).status_code

        with ThreadPoolExecutor(16) as threads:
            statuses = list(threads.map(guess, range(48)))
        # Those that found no place to be hashed do not count.
        statuses += [guess(100 + number) for number in range(PER_ACCOUNT + 1)]
        assert set(statuses) == {401, 429}
        assert statuses.count(401) == PER_ACCOUNT
        refused(log_in(at(throttled, CAFE), email=owner.email))


class TestTheOwner:
    def test_a_flood_of_strangers_does_not_end_or_hold_up_a_session(
        self, owner: Member, throttled: Flask
    ) -> None:
        """S9: wherever its owner is by now."""
        flood(owner, throttled)
        cafe = at(throttled, CAFE)
        refreshed = cafe.post("/api/auth/token/refresh", {"refresh_token": owner.refresh_token})
        ok(cafe.as_user(ok(refreshed)["token"]).get("/api/auth/me"))

    def test_a_flood_of_strangers_does_not_shut_out_who_comes_from_where_he_logged_in(
        self, home: Client, owner: Member, throttled: Flask
    ) -> None:
        """S9: the documented rule."""
        office = at(throttled, OFFICE)
        ok(log_in(office, email=owner.email))
        flood(owner, throttled)
        for place in (home, office):
            ok(log_in(place, email=owner.email))
            ok(log_in(place, username="ada1815"))
        refused(log_in(at(throttled, CAFE), email=owner.email))

    def test_nobody_can_choose_a_name_that_counts_for_another(
        self, home: Client, owner: Member, throttled: Flask
    ) -> None:
        """S9: not even who knows the account's id and where its owner is."""
        account_id = decode_id(ACCOUNT, owner.id)
        names = (f"{account_id}", f"{account_id} at {HOME}", f"account {account_id}")
        for number, name in enumerate(names):
            for _ in range(PER_ACCOUNT):
                fail(at(throttled, f"198.51.100.{number}"), username=name)
        ok(log_in(home, email=owner.email))
        ok(log_in(at(throttled, OFFICE), email=owner.email))

    def test_who_fails_at_one_of_his_places_is_let_in_at_another(
        self, home: Client, owner: Member, throttled: Flask
    ) -> None:
        fail(home, PER_ACCOUNT, email=owner.email)
        refused(log_in(home, email=owner.email))
        ok(log_in(at(throttled, CAFE), email=owner.email))

    def test_any_address_of_his_ipv6_network_is_his_place(
        self, owner: Member, throttled: Flask
    ) -> None:
        ok(log_in(at(throttled, "2001:db8:0:1::1"), email=owner.email))
        flood(owner, throttled)
        ok(log_in(at(throttled, "2001:db8:0:1:ffff::2"), email=owner.email))
        refused(log_in(at(throttled, "2001:db8:0:2::1"), email=owner.email))

    def test_a_place_is_forgotten_after_thirty_days(
        self, home: Client, owner: Member, throttled: Flask, time: time_machine.Traveller
    ) -> None:
        time.shift(30 * 86_400 + 1)
        flood(owner, throttled)
        refused(log_in(home, email=owner.email))

    def test_a_new_password_lets_strangers_try_again(self, owner: Member, throttled: Flask) -> None:
        flood(owner, throttled)
        with throttled.app_context():
            with transaction.read_only():
                account = account_rows.find_by_email(owner.email)
            assert account is not None
            throttles.clear_login_failures(account)
        ok(log_in(at(throttled, CAFE), email=owner.email))


class TestTellsNothing:
    @pytest.mark.usefixtures("time")
    def test_an_unknown_account_is_throttled_alike(self, owner: Member, throttled: Flask) -> None:
        """S6: the same answers at the same count, to the byte."""
        known, unknown = at(throttled, OFFICE), at(throttled, CAFE)
        for _ in range(PER_ACCOUNT + 2):
            assert_same_answer(
                log_in(known, "a wrong password", email=owner.email),
                log_in(unknown, "a wrong password", email="nobody@example.com"),
            )

    @for_each("login", [{"email": "not an address"}, {"username": "not one!"}])
    def test_a_name_that_nobody_can_have_is_throttled_alike(
        self, throttled: Flask, login: dict[str, str]
    ) -> None:
        cafe = at(throttled, CAFE)
        fail(cafe, PER_ACCOUNT, **login)
        refused(log_in(cafe, **login))

    def test_a_stranger_does_not_learn_that_two_names_are_one_accounts(
        self, owner: Member, throttled: Flask
    ) -> None:
        """S6: yet no more than the limit are guessed by both names together."""
        flood(owner, throttled)
        cafe = at(throttled, CAFE)
        for _ in range(PER_ACCOUNT):
            # Not even the right one opens.
            response = log_in(cafe, username="ada1815")
            error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        refused(log_in(cafe, username="ada1815"))


class TestAnAddress:
    def test_its_failures_count_whatever_accounts_they_are_of(self, throttled: Flask) -> None:
        """S9"""
        cafe = at(throttled, CAFE)
        for number in range(PER_ADDRESS):
            fail(cafe, email=f"nobody-{number}@example.com")
        response = log_in(cafe, email="somebody@example.com")
        assert refused(response, "login_failures_per_address")["size"] == PER_ADDRESS
        fail(at(throttled, OFFICE), email="somebody@example.com")

    def test_an_account_of_ones_own_does_not_begin_it_anew(
        self, home: Client, owner: Member
    ) -> None:
        for number in range(PER_ADDRESS):
            fail(home, email=f"nobody-{number}@example.com")
            if number < PER_ADDRESS - 1:
                ok(log_in(home, email=owner.email))
        refused(log_in(home, email=owner.email), "login_failures_per_address")

    def test_a_client_cannot_make_itself_another(self, throttled: Flask) -> None:
        """S22: what it claims about itself stands before what the proxy says."""
        for number in range(PER_ADDRESS):
            forged = at(throttled, f"198.51.100.{number}, {CAFE}")
            fail(forged, email=f"nobody-{number}@example.com")
        refused(
            log_in(at(throttled, CAFE), email="nobody@example.com"), "login_failures_per_address"
        )


class TestSwitchedOff:
    def test_0_is_no_limit(self, client: Client) -> None:
        member = client.sign_up()
        fail(client, 12, email=member.email)
        ok(log_in(client, email=member.email))


class TestConfirmingWithThePassword:
    def test_wrong_ones_are_limited_apart_from_logins(self, home: Client, owner: Member) -> None:
        """S9: whoever stole a session neither guesses the password nor keeps its owner out."""

        def leave(password: str) -> TestResponse:
            return owner.client.post("/api/auth/me/delete", {"password": password})

        for _ in range(PER_ACCOUNT):
            error(leave("a wrong password"), 401, "AUTHENTICATION_ERROR", "invalid")
        refused(leave(PASSWORD), "password_confirmation_failures")
        ok(log_in(home, email=owner.email))
