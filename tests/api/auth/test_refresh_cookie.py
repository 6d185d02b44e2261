"""RAGAUTH_REFRESH_COOKIE: the refresh token in a cookie that no script can read (S17)."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from ragauth.errors import ExternalServiceUnavailable
from tests.cases import for_each
from tests.clients import PASSWORD, Client, error, issues, ok

REFRESH = "/api/auth/token/refresh"
LOGOUT = "/api/auth/logout"
COOKIE = "__Host-ragauth_refresh"
CSRF = {"X-Ragauth-CSRF": "1"}
DASHBOARD = "https://dashboard.example.com"
ATTRIBUTES = {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"}
NOON = "2026-03-01T12:00:00Z"

FOREIGN_PAGES = [
    {"Origin": "https://evil.example.net"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://["},
    {"Origin": "https://localhost.evil.example.net"},
    {"Origin": "https://localhost:8443"},
    {"Origin": "https://evil.example.net", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.localhost", "Sec-Fetch-Site": "same-site"},
    {"Origin": f"{DASHBOARD}.evil.example.net", "Sec-Fetch-Site": "cross-site"},
    {"Origin": DASHBOARD.upper(), "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
]
OWN_PAGES = [
    {},
    {"Origin": DASHBOARD},
    {"Origin": DASHBOARD, "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
    # TLS ended at a proxy that the service was not told of.
    {"Origin": "https://localhost"},
    # The proxy also changed the Host.
    {"Origin": "https://app.example.org", "Sec-Fetch-Site": "same-origin"},
]

MakeApp = Callable[..., Flask]


@pytest.fixture
def browser(share_app: MakeApp) -> "Browser":
    return Browser(share_app(refresh_cookie=True, cors_origins=(DASHBOARD,)))


class Browser:
    """A page of the dashboard: it sends its cookie by itself and cannot read it."""

    def __init__(self, app: Flask) -> None:
        self.client = Client(app)
        self.cookie: str | None = None
        self.token = ""

    def sign_up(self, email: str = "ada@example.com", **fields: Any) -> dict[str, Any]:
        body = {"email": email, "password": PASSWORD, **fields}
        return self._keep(ok(self.take(self.client.post("/api/auth/signup", body)), 201))

    def log_in(self, email: str = "ada@example.com") -> dict[str, Any]:
        body = {"email": email, "password": PASSWORD}
        return self._keep(ok(self.take(self.client.post("/api/auth/login", body))))

    def refresh(self) -> dict[str, Any]:
        return self._keep(ok(self.send(REFRESH)))

    def send(
        self, path: str, body: Any = None, *, headers: Mapping[str, str] = CSRF, **options: Any
    ) -> TestResponse:
        """POST with the cookie alone."""
        sent = {**headers, **({"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {})}
        return self.take(self.client.post(path, body, headers=sent, **options))

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        """Call with the access token."""
        return self.take(self.client.as_user(self.token).request(method, path, **options))

    def take(self, response: TestResponse) -> TestResponse:
        """Keep the cookie of an answer as a browser does."""
        for value in response.headers.getlist("Set-Cookie"):
            name_and_value, *attributes = value.split("; ")
            name, _, self.cookie = name_and_value.partition("=")
            assert name == COOKIE
            lifetime = ("Expires=", "Max-Age=")
            assert {text for text in attributes if not text.startswith(lifetime)} == ATTRIBUTES
            if "Max-Age=0" in attributes:
                self.cookie = None
        return response

    def _keep(self, data: dict[str, Any]) -> dict[str, Any]:
        self.token = data["token"]
        return data


def assert_refused(response: TestResponse, reason: str) -> None:
    error(response, 401, "AUTHENTICATION_ERROR", reason)


def assert_forged(response: TestResponse) -> None:
    error(response, 403, "AUTHORIZATION_ERROR", "origin_not_allowed")


class TestSetsTheCookie:
    def test_every_answer_with_a_pair_has_its_refresh_token_there_alone(
        self, browser: Browser
    ) -> None:
        """S17: `__Host-`, HttpOnly, Secure, SameSite; the token is not in the body."""
        for data in (browser.sign_up(), browser.log_in(), browser.refresh()):
            assert "refresh_token" not in data
            assert data["token_type"] == "Bearer"
            assert browser.cookie is not None
            assert browser.cookie not in str(data)

    def test_it_lives_as_long_as_the_token(self, make_app: MakeApp) -> None:
        client = Client(make_app(refresh_cookie=True, refresh_token_seconds=77))
        body = {"email": "ada@example.com", "password": PASSWORD}
        [cookie] = client.post("/api/auth/signup", body).headers.getlist("Set-Cookie")
        assert "Max-Age=77" in cookie.split("; ")

    def test_an_answer_without_a_pair_leaves_it_alone(self, browser: Browser) -> None:
        browser.sign_up()
        wrong = {"email": "ada@example.com", "password": "wrong password"}
        for response in (
            browser.client.post("/api/auth/login", wrong),
            browser.client.post("/api/auth/signup", {**wrong, "password": PASSWORD}),
            browser.call("GET", "/api/auth/me"),
            browser.send(REFRESH, headers={}),
        ):
            assert "Set-Cookie" not in response.headers

    def test_without_the_setting_there_is_no_cookie_and_none_is_read(self, client: Client) -> None:
        body = {"email": "ada@example.com", "password": PASSWORD}
        response = client.post("/api/auth/signup", body)
        token = ok(response, 201)["refresh_token"]
        assert "Set-Cookie" not in response.headers
        sent = {**CSRF, "Cookie": f"{COOKIE}={token}"}
        assert issues(client.post(REFRESH, headers=sent)) == {("refresh_token",): "Required"}
        assert_refused(client.post(LOGOUT, headers=sent), "missing")


class TestRefreshes:
    def test_with_the_cookie_and_no_body(self, browser: Browser) -> None:
        browser.sign_up()
        for body in (None, {}):
            spent, token = browser.cookie, browser.token
            browser._keep(ok(browser.send(REFRESH, body)))
            assert browser.cookie != spent
            assert browser.token != token
        ok(browser.call("GET", "/api/auth/me"))

    def test_two_tabs_get_the_same_cookie(self, browser: Browser) -> None:
        """S13: the grace of the rotation holds for the cookie too."""
        with time_machine.travel(NOON, tick=False) as clock:
            browser.sign_up()
            spent = browser.cookie
            browser.refresh()
            successor = browser.cookie
            browser.cookie = spent
            clock.shift(20)
            browser.refresh()
            assert browser.cookie == successor

    def test_reuse_ends_the_session(self, browser: Browser) -> None:
        """S13: reuse ends the session."""
        with time_machine.travel(NOON, tick=False) as clock:
            browser.sign_up()
            spent = browser.cookie
            browser.refresh()
            successor, browser.cookie = browser.cookie, spent
            clock.shift(21)
            assert_refused(browser.send(REFRESH), "reused")
            assert browser.cookie is None
            browser.cookie = successor
            assert_refused(browser.send(REFRESH), "revoked")
            assert browser.cookie is None

    def test_a_refusal_that_leaves_the_session_leaves_the_cookie(self, browser: Browser) -> None:
        """S44: over IPv4 and IPv6 at once, the second tab must not lose what the first received."""
        browser.sign_up()
        spent = browser.cookie
        browser.refresh()
        successor, browser.cookie = browser.cookie, spent
        elsewhere = {"REMOTE_ADDR": "198.51.100.1"}
        assert_refused(browser.send(REFRESH, environ_base=elsewhere), "reused")
        assert browser.cookie == spent
        browser.cookie = successor
        browser.refresh()

    def test_without_the_cookie_there_is_no_credential(self, browser: Browser) -> None:
        browser.sign_up()
        browser.cookie = None
        assert_refused(browser.send(REFRESH), "missing")
        sent = {**CSRF, "Cookie": "__Secure-ragauth_refresh=x; ragauth_refresh=y"}
        response = browser.client.post(REFRESH, headers=sent)
        assert_refused(response, "missing")
        assert "Set-Cookie" not in response.headers

    @for_each("value", ["garbage", "a.b.c", "\N{SNOWMAN}", "%00", "x" * 7000])
    def test_a_cookie_that_is_no_token_is_refused(self, browser: Browser, value: str) -> None:
        browser.cookie = value.encode().decode("latin-1")
        response = browser.send(REFRESH)
        assert response.status_code == 401
        assert response.get_json()["error"]["details"]["reason"] in ("malformed", "invalid")
        assert browser.cookie is None

    def test_a_cookie_that_has_expired_is_taken_back(self, browser: Browser) -> None:
        with time_machine.travel(NOON, tick=False) as clock:
            browser.sign_up()
            clock.shift(604_801)
            assert_refused(browser.send(REFRESH), "expired")
            assert browser.cookie is None

    def test_a_refusal_that_is_not_the_cookies_leaves_it(
        self, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A forged request, a faulty body, a database that is away: the session lives on."""
        browser.sign_up()
        assert_forged(browser.send(REFRESH, headers={}))
        issues(browser.send(REFRESH, {"x": 1}))

        def is_away(*_: object) -> None:
            raise ExternalServiceUnavailable

        with monkeypatch.context() as patch:
            patch.setattr("ragauth.services.sessions.refreshes.find_standing", is_away)
            error(browser.send(REFRESH), 503, "EXTERNAL_SERVICE_ERROR")
        assert browser.cookie is not None
        browser.refresh()

    def test_an_access_token_will_not_do(self, browser: Browser) -> None:
        """S12: access and refresh tokens cannot stand in for each other."""
        browser.sign_up()
        browser.cookie = browser.token
        assert_refused(browser.send(REFRESH), "wrong_credential_type")

    def test_a_token_in_the_body_is_a_fault_beside_the_others(self, browser: Browser) -> None:
        """S17: the token is not in a body, neither there nor back."""
        browser.sign_up()
        found = issues(browser.send(REFRESH, {"refresh_token": browser.cookie, "x": 1}))
        assert set(found) == {("refresh_token",), ("x",)}
        assert set(issues(browser.send(REFRESH, {"x": 1}))) == {("x",)}
        ok(browser.send(REFRESH))


class TestRefusesForgery:
    def test_the_header_must_be_there(self, browser: Browser) -> None:
        """S17: CSRF-protected; a form cannot send a header, a script only after a preflight."""
        browser.sign_up()
        for path in (REFRESH, LOGOUT):
            assert_forged(browser.send(path, headers={}))
            for value in ("", "0", "true", "1, 1", "1é", "\N{SNOWMAN}"):
                headers = {"X-Ragauth-CSRF": value.encode().decode("latin-1")}
                assert_forged(browser.send(path, headers=headers))
        ok(browser.send(REFRESH))

    def test_no_other_origin_may_use_the_cookie(self, browser: Browser) -> None:
        """S17: CSRF-protected, even where something gave the page the header."""
        browser.sign_up()
        for page in FOREIGN_PAGES:
            for path in (REFRESH, LOGOUT):
                assert_forged(browser.send(path, headers={**CSRF, **page}))
        ok(browser.send(REFRESH))

    def test_its_own_pages_and_the_listed_ones_may(self, browser: Browser) -> None:
        browser.sign_up()
        for page in OWN_PAGES:
            ok(browser.send(REFRESH, headers={**CSRF, **page}))
            ok(browser.send(LOGOUT, headers={**CSRF, **page}), 204)
            browser.log_in()

    def test_a_preflight_of_the_dashboard_allows_the_header(self, browser: Browser) -> None:
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-ragauth-csrf",
        }
        listed, evil = (
            browser.client.request("OPTIONS", REFRESH, headers={**asked, "Origin": origin})
            for origin in (DASHBOARD, "https://evil.example.net")
        )
        assert listed.headers["Access-Control-Allow-Headers"] == "x-ragauth-csrf"
        assert "Access-Control-Allow-Headers" not in evil.headers

    def test_a_form_of_another_site_cannot_log_in_for_its_visitor(self, browser: Browser) -> None:
        """S17: a form sends no JSON, so it cannot plant the cookie of another account."""
        browser.sign_up()
        for content_type in ("text/plain", "application/x-www-form-urlencoded", None):
            data = f'{{"email": "ada@example.com", "password": "{PASSWORD}"}}'
            response = browser.client.post("/api/auth/login", data=data, content_type=content_type)
            error(response, 415, "VALIDATION_ERROR")


class TestEndsTheSession:
    def test_logging_out_with_the_access_token_clears_the_cookie(self, browser: Browser) -> None:
        browser.sign_up()
        dead = browser.cookie
        ok(browser.call("POST", LOGOUT), 204)
        assert browser.cookie is None
        browser.cookie = dead
        assert_refused(browser.send(REFRESH), "revoked")

    def test_logging_out_with_the_cookie_alone_clears_it_too(self, browser: Browser) -> None:
        browser.sign_up()
        dead = browser.cookie
        ok(browser.send(LOGOUT), 204)
        assert browser.cookie is None
        assert_refused(browser.call("GET", "/api/auth/me"), "revoked")
        browser.cookie = dead
        ok(browser.send(LOGOUT), 204)
        assert browser.cookie is None

    def test_logging_out_without_anything_is_refused(self, browser: Browser) -> None:
        assert_refused(browser.send(LOGOUT), "missing")

    def test_deleting_the_account_clears_it(self, browser: Browser) -> None:
        browser.sign_up()
        assert_refused(
            browser.call("POST", "/api/auth/me/delete", json={"password": "wrong"}), "invalid"
        )
        assert browser.cookie is not None
        ok(browser.call("POST", "/api/auth/me/delete", json={"password": PASSWORD}), 204)
        assert browser.cookie is None

    def test_ending_this_session_clears_it_and_ending_another_does_not(
        self, browser: Browser
    ) -> None:
        browser.sign_up()
        browser.log_in()
        listed = ok(browser.call("GET", "/api/auth/sessions"))
        this, other = sorted(listed, key=lambda session: not session["current"])
        ok(browser.call("DELETE", f"/api/auth/sessions/{other['id']}"), 204)
        ok(browser.call("DELETE", "/api/auth/sessions"), 204)
        assert browser.cookie is not None
        ok(browser.call("DELETE", f"/api/auth/sessions/{this['id']}"), 204)
        assert browser.cookie is None

    def test_ending_all_sessions_clears_it(self, browser: Browser) -> None:
        browser.sign_up()
        ok(browser.call("DELETE", "/api/auth/sessions?all=true"), 204)
        assert browser.cookie is None


def test_a_start_without_https_is_warned_of(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(logging.getLogger("ragauth"), "warning", warnings.append)
    make_app(refresh_cookie=True, require_https=True)
    assert warnings == []
    make_app(refresh_cookie=True)
    assert warnings == ["over plain HTTP browsers take the refresh cookie on loopback at most"]
