"""Logging out in cookie mode: whatever stands in the header beside the cookie (S14, S17).

A logout ends each session that the request names. It is refused only if it names none.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.auth.test_refresh_cookie import COOKIE, CSRF, DASHBOARD, NOON
from tests.cases import for_each
from tests.clients import PASSWORD, Client, ok

CONTRACT = "/api/auth/logout"
RAGCHATS = "/compat/ragchats/api/auth/logout"

# What stands in the Authorization header without being a token, and why it is refused alone.
NO_TOKENS = [
    *((None, "missing"), ("", "missing"), ("Bearer", "missing"), ("Bearer ", "missing")),
    *(("Bearer undefined", "malformed"), ("Bearer null", "malformed"), ("garbage", "malformed")),
    *(("Basic YTpi", "malformed"), ("Bearer a b", "malformed"), ("Bearer a.b.c", "invalid")),
    ("Bearer {api_key}", "wrong_credential_type"),
]
# A token, and the session that it is of: the cookie's own, another one, or one that has ended.
TOKENS = [
    *(("{own}", "own"), ("{expired}", "own"), ("{cookie}", "own")),
    *(("{other}", "other"), ("{dead}", None)),
]
# A cookie, and the session that it is of.
COOKIES = [(None, None), ("{cookie}", "own"), ("{dead_cookie}", None), ("garbage", None)]


class World:
    """One account's credentials: of the cookie's session, of another one and of a dead one."""

    def __init__(self, client: Client, path: str, clock: time_machine.Traveller):
        self.client = client
        self.path = path
        self._clock = clock
        self._ended: set[str | None] = {"own", "other"}
        self._body = {"email": "u@example.com", "password": PASSWORD}
        api_key = client.post("/api/auth/signup", self._body).get_json()["data"]["api_key"]
        dead, dead_cookie = self._log_in()
        assert client.as_user(dead).post(CONTRACT).status_code == 204
        self.texts = {"dead": dead, "dead_cookie": dead_cookie, "api_key": api_key}

    def begin(self) -> None:
        """Make the two sessions that live, anew if one of them has ended."""
        if "own" in self._ended:
            expired, spent = self._log_in()
            self._clock.shift(timedelta(hours=2))
            headers = {**CSRF, "Cookie": f"{COOKIE}={spent}"}
            own, cookie = _pair(self.client.post("/api/auth/token/refresh", headers=headers))
            self.texts |= {"own": own, "expired": expired, "cookie": cookie}
        if self._ended:
            # A token that lives no longer would tell nothing of its session.
            self.texts["other"], _ = self._log_in()
        self._ended = set()

    def _log_in(self) -> tuple[str, str]:
        return _pair(self.client.post("/api/auth/login", self._body))

    def log_out(self, header: str | None, cookie: str | None, **headers: str) -> TestResponse:
        if header is not None:
            headers["Authorization"] = header.format(**self.texts)
        if cookie is not None:
            headers["Cookie"] = f"{COOKIE}={cookie}".format(**self.texts)
        return self.client.post(self.path, headers=headers)

    def ended(self) -> set[str | None]:
        """Which of the two living sessions has ended."""
        self._ended = {
            name
            for name in ("own", "other")
            if self.client.as_user(self.texts[name]).get("/api/auth/me").status_code == 401
        }
        return self._ended


def _pair(response: TestResponse) -> tuple[str, str]:
    """Access token and cookie."""
    [cookie] = response.headers.getlist("Set-Cookie")
    return ok(response, response.status_code)["token"], cookie.partition(";")[0].partition("=")[2]


def is_refused(response: TestResponse, reason: str) -> bool:
    body = response.get_json()
    # RAG Chats' face has the contract's reason in its challenge alone.
    told = body["error"]["details"]["reason"] if isinstance(body["error"], dict) else reason
    return response.status_code == (403 if reason == "origin_not_allowed" else 401) and (
        told == reason
    )


def takes_the_cookie_back(response: TestResponse) -> bool:
    return any("Max-Age=0" in value for value in response.headers.getlist("Set-Cookie"))


@pytest.fixture(params=[CONTRACT, RAGCHATS], ids=["contract", "ragchats"])
def world(request: pytest.FixtureRequest, share_app: Callable[..., Flask]) -> Iterator[World]:
    app = share_app(refresh_cookie=True, cors_origins=(DASHBOARD,), compat=("ragchats",))
    with time_machine.travel(NOON, tick=False) as clock:
        world = World(Client(app), request.param, clock)
        world.begin()
        yield world


class TestEndsEverySessionThatIsNamed:
    @for_each(("cookie", "session"), COOKIES)
    def test_by_a_token_in_the_header_whatever_the_cookie_is(
        self, world: World, cookie: str | None, session: str | None
    ) -> None:
        """S14: the session that the cookie carries ends too, or nobody could end it any more."""
        for token, named in TOKENS:
            world.begin()
            response = world.log_out(f"Bearer {token}", cookie, **CSRF)
            assert (response.status_code, response.data) == (204, b""), token
            assert takes_the_cookie_back(response)
            assert world.ended() == {named, session} - {None}, token

    @for_each(("cookie", "session"), COOKIES[1:3])
    def test_by_the_cookie_whatever_the_header_is(
        self, world: World, cookie: str, session: str | None
    ) -> None:
        """S14: a browser that lost its access token can log out."""
        for header, _ in NO_TOKENS:
            world.begin()
            response = world.log_out(header, cookie, **CSRF)
            assert (response.status_code, response.data) == (204, b""), header
            assert takes_the_cookie_back(response)
            assert world.ended() == {session} - {None}, header


class TestRefusesWhatNamesNone:
    def test_without_a_cookie(self, world: World) -> None:
        for header, reason in NO_TOKENS:
            response = world.log_out(header, None, **CSRF)
            assert is_refused(response, reason), header
            assert not takes_the_cookie_back(response)
        assert world.ended() == set()

    def test_with_a_cookie_that_is_no_token(self, world: World) -> None:
        for header, reason in NO_TOKENS:
            response = world.log_out(header, "garbage", **CSRF)
            assert is_refused(response, "malformed" if reason == "missing" else reason), header
            assert takes_the_cookie_back(response)
        assert world.ended() == set()


class TestAForgedRequest:
    def test_it_ends_nothing_by_the_cookie(self, world: World) -> None:
        """S17: another site's page cannot end a visitor's session."""
        for header, reason in NO_TOKENS:
            for headers in ({}, {**CSRF, "Origin": "https://evil.example.net"}):
                response = world.log_out(header, "{cookie}", **headers)
                expected = "origin_not_allowed" if reason == "missing" else reason
                assert is_refused(response, expected), header
                assert not takes_the_cookie_back(response)
        assert world.ended() == set()

    def test_a_token_in_the_header_ends_its_own_session_alone(self, world: World) -> None:
        """S17: nobody but the holder of a token can put it into the header."""
        assert world.log_out("Bearer {other}", "{cookie}").status_code == 204
        assert world.ended() == {"other"}


def test_without_cookie_mode_no_cookie_is_read(client: Client) -> None:
    member = client.sign_up()
    sent = {**CSRF, "Cookie": f"{COOKIE}={member.refresh_token}"}
    for header, reason in NO_TOKENS[1:-1]:
        response = client.post(CONTRACT, headers={**sent, "Authorization": header or ""})
        assert is_refused(response, reason), header
        assert "Set-Cookie" not in response.headers
    ok(member.client.get("/api/auth/me"))
