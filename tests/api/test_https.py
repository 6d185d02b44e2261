"""RAGAUTH_REQUIRE_HTTPS: plain HTTP is refused, never redirected."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.api.routes import ROUTES, Route
from tests.clients import Client, error, ok

PROBES = ("/healthz", "/readyz")


@pytest.fixture
def strict(share_app: Callable[..., Flask]) -> Client:
    return Client(share_app(require_https=True))


class TestRequiresHttps:
    def test_plain_http_is_refused_before_anything_else(self, strict: Client) -> None:
        def refused(method: str, path: str) -> None:
            response = strict.request(method, path, data=b"{")
            error(response, 403, "AUTHORIZATION_ERROR", "https_required")
            assert "Location" not in response.headers

        routes: list[Route] = [route for route in ROUTES if route.path not in PROBES]
        for route in routes:
            refused(route.method, route.path)
        for path in ("/unknown", "/api/v1/unknown", "/healthz/x", "/healthz/", "/readyz/"):
            refused("GET", path)

    def test_the_probes_are_exempt(self, strict: Client) -> None:
        for path in PROBES:
            ok(strict.get(path))

    def test_https_is_served(self, strict: Client) -> None:
        over_https = {"base_url": "https://auth.example.com"}
        body = {"email": "ada@example.com", "password": "correct horse battery staple"}
        data = ok(strict.post("/api/auth/signup", body, **over_https), 201)
        response = strict.as_key(data["api_key"]).get("/api/v1/authorize", **over_https)
        assert response.status_code == 200

    def test_only_a_trusted_proxy_can_say_that_it_was_https(
        self, strict: Client, make_app: Callable[..., Flask]
    ) -> None:
        """S22: the number of proxies that are believed is configured."""
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
        response = strict.get("/api/auth/me", headers=headers)
        error(response, 403, "AUTHORIZATION_ERROR", "https_required")
        response = strict.get("/api/v1/authorize", headers=headers)
        error(response, 403, "AUTHORIZATION_ERROR", "https_required")
        behind_proxy = Client(make_app(require_https=True, trusted_proxies=1))
        for path in ("/api/auth/me", "/api/v1/authorize"):
            response = behind_proxy.get(path, headers=headers)
            error(response, 401, "AUTHENTICATION_ERROR", "missing")
            response = behind_proxy.get(path, headers={"X-Forwarded-Proto": "http"})
            error(response, 403, "AUTHORIZATION_ERROR", "https_required")
