"""RAGAUTH_CORS_ORIGINS: listed origins only, with `Vary: Origin` always (S18)."""

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.clients import Client, ok

DASHBOARD = "https://dashboard.example.com"
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@pytest.fixture(params=[(DASHBOARD,), (DASHBOARD, "http://localhost:3000")], ids=["one", "two"])
def dashboard(request: pytest.FixtureRequest, make_app: Callable[..., Flask]) -> Client:
    return Client(make_app(cors_origins=request.param))


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
        assert response.status_code == 200
        found = cors_headers(response)
        assert found["Access-Control-Allow-Origin"] == DASHBOARD
        assert "PATCH" in found["Access-Control-Allow-Methods"]
        assert found["Access-Control-Allow-Headers"] == "authorization, content-type"
        assert varies(response)


class TestOtherOrigins:
    @pytest.mark.parametrize(
        "origin",
        [
            *("https://evil.example.com", "null", "https://dashboard.example.com.evil.test", "*"),
            *("http://dashboard.example.com", "https://dashboard-example.com", ""),
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
