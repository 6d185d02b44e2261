"""RAGAUTH_CORS_ORIGINS: listed origins only, with `Vary: Origin` always (S18)."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.routes import ROUTES, Route
from tests.cases import for_each
from tests.clients import Client, ok

DASHBOARD = "https://dashboard.example.com"
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type, x-ragauth-csrf",
}
DASHBOARD_ROUTES = [
    route for route in ROUTES if route.path.startswith(("/api/auth", "/api/agents"))
]
UNKNOWN = Route("DELETE", "/api/auth/unknown", None)


@pytest.fixture(params=[(DASHBOARD,), (DASHBOARD, "http://localhost:3000")], ids=["one", "two"])
def dashboard(request: pytest.FixtureRequest, share_app: Callable[..., Flask]) -> Client:
    app = share_app(cors_origins=request.param)
    if "crash" not in app.view_functions:
        app.add_url_rule("/api/auth/crash", "crash", lambda: 1 / 0)
    return Client(app)


def cors_headers(response: TestResponse) -> dict[str, str]:
    return {name: value for name, value in response.headers if name.startswith("Access-Control-")}


def varies(response: TestResponse) -> bool:
    return "Origin" in [name.strip() for name in response.headers.get("Vary", "").split(",")]


class TestListedOrigins:
    def test_the_dashboard_may_read_the_answer(self, dashboard: Client) -> None:
        """S18: CORS answers listed origins."""
        for path in ("/api/auth/me", "/api/agents", "/api/auth/unknown"):
            response = dashboard.get(path, headers={"Origin": DASHBOARD})
            headers = cors_headers(response)
            assert headers["Access-Control-Allow-Origin"] == DASHBOARD
            assert headers["Access-Control-Allow-Credentials"] == "true"
            assert "X-Request-Id" in headers["Access-Control-Expose-Headers"]
            assert varies(response)

    def test_a_preflight_allows_what_the_dashboard_needs(self, dashboard: Client) -> None:
        """S18: CORS answers listed origins."""
        headers = {"Origin": DASHBOARD, **PREFLIGHT}
        response = dashboard.request("OPTIONS", "/api/auth/me", headers=headers)
        assert response.status_code == 204
        found = cors_headers(response)
        assert found["Access-Control-Allow-Origin"] == DASHBOARD
        assert "PATCH" in found["Access-Control-Allow-Methods"]
        assert found["Access-Control-Allow-Headers"] == (
            "authorization, content-type, x-ragauth-csrf"
        )
        assert varies(response)

    def test_a_preflight_is_answered_whatever_is_behind_it(self, dashboard: Client) -> None:
        """S18: or the browser would keep the 404 or the 405 from the dashboard."""
        for route in [*DASHBOARD_ROUTES, Route("PUT", "/api/auth/me", None), UNKNOWN]:
            asked = {"Access-Control-Request-Method": route.method}
            response = dashboard.request(
                "OPTIONS", route.path, headers={"Origin": DASHBOARD, **asked}
            )
            assert (response.status_code, response.data) == (204, b"")
            found = cors_headers(response)
            assert found["Access-Control-Allow-Origin"] == DASHBOARD
            assert found["Access-Control-Allow-Credentials"] == "true"
            assert route.method in found["Access-Control-Allow-Methods"].split(", ")
            assert found["Access-Control-Max-Age"] == "600"
            assert response.headers["X-Content-Type-Options"] == "nosniff"

    def test_the_dashboard_may_read_every_refusal_and_what_it_tells(
        self, dashboard: Client
    ) -> None:
        """S18: 400, 401, 404, 405, 413, 415 and 500 are as readable as a success."""
        statuses = set()
        headers = {"Origin": DASHBOARD}
        for method, path, options in (
            ("POST", "/api/auth/login", {"json": {}}),
            ("GET", "/api/auth/me", {}),
            ("GET", "/api/agents/unknown/unknown", {}),
            ("PUT", "/api/auth/me", {}),
            ("POST", "/api/auth/login", {"data": b"x" * 65_537}),
            ("POST", "/api/auth/login", {"data": b"x"}),
            ("GET", "/api/auth/crash", {}),
        ):
            response = dashboard.request(method, path, headers=headers, **options)
            statuses.add(response.status_code)
            found = cors_headers(response)
            assert found["Access-Control-Allow-Origin"] == DASHBOARD
            assert set(found["Access-Control-Expose-Headers"].split(", ")) == {
                *("Content-Disposition", "RateLimit", "RateLimit-Policy", "Retry-After"),
                *("WWW-Authenticate", "X-Request-Id"),
            }
            assert varies(response)
        assert statuses == {400, 401, 404, 405, 413, 415, 500}


class TestOtherOrigins:
    @for_each(
        "origin",
        [
            *("https://evil.example.com", "null", "https://dashboard.example.com.evil.test", "*"),
            *("http://dashboard.example.com", "https://dashboard-example.com", ""),
            *("https://dashboard.example.com:8443", "https://a.dashboard.example.com", "https://"),
            *("HTTPS://DASHBOARD.EXAMPLE.COM", f"{DASHBOARD}, {DASHBOARD}", f"{DASHBOARD}/"),
            *(f"{DASHBOARD}@evil.test", "https://evil.test?https://dashboard.example.com", "file"),
        ],
    )
    def test_they_get_the_answer_of_no_origin(self, dashboard: Client, origin: str) -> None:
        """S18: CORS answers listed origins only, with `Vary: Origin` always."""
        for headers in ({"Origin": origin}, {"Origin": origin, **PREFLIGHT}):
            method = "OPTIONS" if len(headers) > 1 else "GET"
            response = dashboard.request(method, "/api/auth/me", headers=headers)
            assert cors_headers(response) == {}
            assert varies(response)

    def test_an_answer_without_an_origin_varies_too(self, dashboard: Client) -> None:
        """S18: a cache must not give one origin's answer to another."""
        assert varies(dashboard.get("/api/auth/me"))

    def test_key_routes_are_no_business_of_the_dashboard(self, dashboard: Client) -> None:
        """S18: CORS answers listed origins only where the dashboard calls."""
        for path in ("/api/v1/me", "/api/v1/authorize", "/healthz"):
            assert cors_headers(dashboard.get(path, headers={"Origin": DASHBOARD})) == {}

    def test_without_a_list_nobody_is_answered(self, client: Client) -> None:
        """S18: CORS answers listed origins only."""
        response = client.sign_up().client.get("/api/auth/me", headers={"Origin": DASHBOARD})
        ok(response)
        assert cors_headers(response) == {}


class TestTheLog:
    def test_it_tells_a_refused_origin_once(
        self, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
    ) -> None:
        """S18: whoever forgot the setting is told its name, preflight or not."""
        client = Client(make_app(cors_origins=(DASHBOARD,)))
        with _told(caplog) as told:
            for origin in (DASHBOARD, "http://localhost", "https://new.example.com"):
                for headers in ({"Origin": origin, **PREFLIGHT}, {"Origin": origin}):
                    method = "OPTIONS" if len(headers) > 1 else "GET"
                    client.request(method, "/api/auth/me", headers=headers)
                    client.get("/api/v1/me", headers=headers)
            (line,) = told()
        assert line == "origin https://new.example.com is not allowed: RAGAUTH_CORS_ORIGINS"

    def test_a_flood_of_forged_ones_is_few_inert_lines(
        self, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
    ) -> None:
        """S18, S27: nor is told what is no origin, which may be anybody's secret."""
        client, secret = Client(make_app()), "rag_live_" + "a1b2" * 9
        with _told(caplog) as told:
            for no_origin in (f"https://\x1b[2K\x85{secret}", "my password 1", "x" * 9000, "null"):
                client.get("/api/auth/me", headers={"Origin": no_origin})
            assert told() == []
            client.get("/api/auth/me", headers={"Origin": f"https://{secret}"})
            for number in range(50):
                client.get("/api/auth/me", headers={"Origin": f"https://{number}.example.com"})
            lines = told()
        assert len(lines) == 10
        assert all(line.isascii() and line.isprintable() and len(line) < 300 for line in lines)
        assert secret not in lines[0]


@contextmanager
def _told(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    log = logging.getLogger("ragauth")
    log.addHandler(caplog.handler)
    yield lambda: [line.getMessage() for line in caplog.records if "origin" in line.getMessage()]
    log.removeHandler(caplog.handler)
