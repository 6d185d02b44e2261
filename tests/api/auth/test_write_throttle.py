"""How often an account may change something with its access tokens."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from ragauth import clock
from ragauth.security.identifiers import ACCOUNT, SESSION, decode_id
from ragauth.services.limits import throttles
from ragauth.web.guards import ACCESS_TOKEN, any_token, demand_of
from ragauth.web.paths import SAFE_METHODS
from tests.clients import Client, Member, error, ok

SIZE = 120
NAMES = {"name": "Ada"}
PROFILE = "/api/auth/me"
NO_KEY = "/api/auth/api-keys/key_01h455vb4pex5vsknk084sn02q"


@pytest.fixture(autouse=True)
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def member(client: Client) -> Member:
    return client.sign_up()


def use_up(member: Member, left: int = 0) -> None:
    """All but so many of the account's changes of this minute."""
    account_id = decode_id(ACCOUNT, member.id)
    with member.client.app.app_context():
        for _ in range(SIZE - left):
            throttles.writes_of_account(account_id).try_take()


def refused(response: TestResponse, limit: str = "writes_per_account") -> None:
    details = error(response, 429, "RATE_LIMIT_EXCEEDED")
    assert details.keys() == {"limit", "size", "window_seconds", "resets_at"}
    assert (details["limit"], details["size"], details["window_seconds"]) == (limit, SIZE, 60)
    assert 0 < int(response.headers["Retry-After"]) <= 60


class TestWrites:
    def test_an_account_has_120_a_minute(
        self, member: Member, time: time_machine.Traveller
    ) -> None:
        """S43: of all kinds together; what is refused for another reason is one as well."""
        ok(member.client.patch(PROFILE, NAMES))
        error(member.client.patch(PROFILE, {"plan": "scale"}), 400, "VALIDATION_ERROR")
        use_up(member, left=3)
        ok(member.client.post("/api/agents", {"name": "a bot"}), 201)
        refused(member.client.post("/api/auth/api-keys", {"name": "a key"}))
        time.shift(60)
        ok(member.client.post("/api/auth/api-keys", {"name": "a key"}), 201)

    def test_its_sessions_share_them(self, client: Client, member: Member) -> None:
        """S43: logging in again gives no more."""
        use_up(member)
        refused(client.as_user(client.log_in(member)["token"]).patch(PROFILE, NAMES))

    def test_others_have_their_own(self, client: Client, member: Member) -> None:
        """S43"""
        use_up(member)
        ok(client.sign_up().client.patch(PROFILE, NAMES))

    def test_reading_and_what_shows_no_access_token_goes_on(
        self, client: Client, member: Member
    ) -> None:
        """S43: its own flood locks nobody out of a session."""
        use_up(member)
        ok(member.client.get(PROFILE))
        pair = ok(client.post("/api/auth/token/refresh", {"refresh_token": member.refresh_token}))
        client.log_in(member)
        ok(client.as_user(pair["token"]).post("/api/auth/logout"), 204)

    def test_who_has_no_token_is_told_that_and_counts_for_nobody(
        self, client: Client, member: Member
    ) -> None:
        """S43: the credential comes first."""
        error(client.patch(PROFILE, NAMES), 401, "AUTHENTICATION_ERROR", "missing")
        use_up(member)
        error(client.patch(PROFILE, NAMES), 401, "AUTHENTICATION_ERROR", "missing")


class TestRevocations:
    def test_they_are_none_of_the_writes(self, member: Member) -> None:
        """S43: an owner whose changes are used up by another can end what works for him."""
        key = member.create_key()
        use_up(member)
        ok(member.client.delete(f"/api/auth/api-keys/{key['id']}"), 204)
        ok(member.client.delete("/api/auth/sessions"), 204)

    def test_a_session_has_120_a_minute_of_its_own(self, client: Client, member: Member) -> None:
        """S43: a thief in one session does not keep the owner's other session from ending it."""
        thief = client.as_user(client.log_in(member)["token"])
        for _ in range(SIZE):
            error(thief.delete(NO_KEY), 404, "NOT_FOUND")
        refused(thief.delete(NO_KEY), "revocations_per_session")
        ok(member.client.delete("/api/auth/sessions"), 204)
        error(thief.get(PROFILE), 401, "AUTHENTICATION_ERROR", "revoked")


def test_every_route_that_takes_an_access_token_is_bounded(make_app: Callable[..., Flask]) -> None:
    """S43: whatever is declared with a guard that wants one, on every face."""
    app = make_app(compat=("ragchats", "rst"))
    member = Client(app).sign_up()
    [session] = ok(member.client.get("/api/auth/sessions"))
    use_up(member)
    with app.app_context():
        for _ in range(SIZE):
            throttles.revocations_of_session(decode_id(SESSION, session["id"])).take()
    asked = set()
    for rule in app.url_map.iter_rules():
        view: Any = app.view_functions[rule.endpoint]
        guard = view.declaration.guard
        if demand_of(guard).scheme != ACCESS_TOKEN or guard is any_token:
            continue
        for method in (rule.methods or set()) - SAFE_METHODS:
            # The guard comes before path and body.
            path = re.sub("<[^>]+>", "anything", rule.rule)
            response = member.client.request(method, path, json={})
            assert response.status_code == 429, (method, path)
            assert 0 < int(response.headers["Retry-After"]) <= 60
            asked.add(rule.endpoint.split(".")[0])
    assert asked == {"auth", "keys", "agents", "compat_ragchats", "compat_rst"}
