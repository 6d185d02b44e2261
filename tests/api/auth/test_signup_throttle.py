"""POST /api/auth/signup, again and again from one address."""

from collections.abc import Callable, Iterator

import pytest
import time_machine
from flask import Flask

from ragauth import clock
from ragauth.services.accounts.hashing_gate import PLACES, hashing_gate
from tests.clients import PASSWORD, Client, error, issues, ok
from tests.factories.commands import run

PATH = "/api/auth/signup"
PER_ADDRESS = 3


@pytest.fixture
def throttled(share_app: Callable[..., Flask]) -> Client:
    app = share_app(signups_per_address=PER_ADDRESS, trusted_proxies=1)
    return Client(app, {"X-Forwarded-For": "203.0.113.7"})


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


def refused(client: Client, email: str = "another@example.com") -> dict[str, str]:
    response = client.post(PATH, {"email": email, "password": PASSWORD})
    details = error(response, 429, "RATE_LIMIT_EXCEEDED")
    assert details["limit"] == "signups_per_address"
    assert (details["size"], details["window_seconds"]) == (PER_ADDRESS, 3600)
    assert 0 < int(response.headers["Retry-After"]) <= 3600
    return details


class TestAnAddress:
    def test_it_may_sign_up_so_often_in_an_hour(
        self, throttled: Client, time: time_machine.Traveller
    ) -> None:
        """S9"""
        for _ in range(PER_ADDRESS):
            throttled.sign_up()
        refused(throttled)
        Client(throttled.app, {"X-Forwarded-For": "203.0.113.8"}).sign_up()
        time.shift(3600)
        throttled.sign_up()

    def test_a_taken_address_counts_for_it_costs_a_hash_too(self, throttled: Client) -> None:
        member = throttled.sign_up()
        for _ in range(PER_ADDRESS - 1):
            body = {"email": member.email, "password": PASSWORD}
            error(throttled.post(PATH, body), 409, "CONFLICT")
        refused(throttled, member.email)

    def test_what_is_not_hashed_does_not_count(self, throttled: Client) -> None:
        for body in ({"email": "x", "password": PASSWORD}, {"email": "a@example.com"}):
            for _ in range(PER_ADDRESS):
                issues(throttled.post(PATH, body))
        for _ in range(PER_ADDRESS):
            weak = {"email": "a@example.com", "password": "password1"}
            assert set(issues(throttled.post(PATH, weak))) == {("password",)}
        throttled.sign_up()

    def test_what_found_no_place_to_be_hashed_does_not_count(
        self, throttled: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S10: a flood of others costs nobody his own signups."""
        with monkeypatch.context() as patched:
            patched.setattr(hashing_gate, "_taken", PLACES)
            for number in range(PER_ADDRESS + 1):
                body = {"email": f"new-{number}@example.com", "password": PASSWORD}
                assert error(throttled.post(PATH, body), 429, "RATE_LIMIT_EXCEEDED") == {}
        throttled.sign_up()

    def test_it_is_tested_before_any_hash(
        self, throttled: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """S9"""
        for _ in range(PER_ADDRESS):
            throttled.sign_up()
        monkeypatch.setattr(hashing_gate, "_taken", PLACES)
        refused(throttled)

    def test_it_may_log_in_all_the_same(self, throttled: Client) -> None:
        members = [throttled.sign_up() for _ in range(PER_ADDRESS)]
        refused(throttled)
        throttled.log_in(members[0])
        ok(members[0].client.get("/api/auth/me"))


def test_operators_are_not_throttled(throttled: Client) -> None:
    for number in range(PER_ADDRESS + 2):
        run(
            throttled.app,
            *("accounts", "create", "--email", f"new-{number}@example.com", "--generate-password"),
        )
