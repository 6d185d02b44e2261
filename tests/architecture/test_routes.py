"""Every route says what it asks for; those that ask for nothing are listed here."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from ragauth.web import guards

# Whoever adds a route without a credential adds it here, and says why it needs none.
_PUBLIC = {
    "auth.sign_up": "has no account yet",
    "auth.log_in": "shows a password",
    "auth.complete_login": "shows what the first step of a login answered",
    "auth.refresh": "shows a refresh token",
    "auth.request_password_reset": "has forgotten the password",
    "auth.reset_password": "shows a mail's token",
    "auth.confirm_email": "shows a mail's token",
    "check.revoke_presented_key": "shows the key that it kills",
    "ops.healthz": "is asked by probes",
    "ops.readyz": "is asked by probes",
    "reference.index": "tells where those two are",
    "reference.openapi": "is read before one has an account",
    "reference.docs": "is read before one has an account",
    "reference.asset": "is a file of the page",
    "wellknown.jwks": "is read by whoever verifies a token",
}


def _guards(app: Flask) -> dict[str, Callable[..., Any] | None]:
    """The guard of each route, None for one that declares none."""
    return {name: _guard(view) for name, view in app.view_functions.items()}


def _guard(view: Callable[..., Any]) -> Callable[..., Any] | None:
    declaration = getattr(view, "declaration", view)
    guard: Callable[..., Any] | None = getattr(declaration, "guard", None)
    return guard


def _without_guard(app: Flask) -> set[str]:
    return {name for name, guard in _guards(app).items() if guard is None}


def _open_to_all(app: Flask) -> set[str]:
    return {name for name, guard in _guards(app).items() if guard is guards.public}


def _lies_below(app: Flask, endpoint: str, *prefixes: str) -> bool:
    return any(rule.rule.startswith(prefixes) for rule in app.url_map.iter_rules(endpoint))


class TestGuards:
    def test_every_route_has_one(self, sqlite_app: Flask) -> None:
        assert len(sqlite_app.view_functions) > 20
        assert _without_guard(sqlite_app) == set()

    def test_only_the_listed_routes_are_open_to_all(self, sqlite_app: Flask) -> None:
        assert _open_to_all(sqlite_app) == set(_PUBLIC)

    def test_every_route_of_the_dashboard_asks_for_a_token(self, sqlite_app: Flask) -> None:
        tokens = {guards.access_token, guards.any_token}
        asked = {
            name: guard
            for name, guard in _guards(sqlite_app).items()
            if name not in _PUBLIC and _lies_below(sqlite_app, name, "/api/auth", "/api/agents")
        }
        assert asked
        assert {name for name, guard in asked.items() if guard not in tokens} == set()

    def test_no_route_below_api_v1_takes_a_token(self, sqlite_app: Flask) -> None:
        tokens = {guards.access_token, guards.any_token}
        asked = {
            name: guard
            for name, guard in _guards(sqlite_app).items()
            if _lies_below(sqlite_app, name, "/api/v1")
        }
        assert asked
        assert {name for name, guard in asked.items() if guard in tokens} == set()


class TestTheRulesThemselves:
    @pytest.fixture
    def planted(self) -> Flask:
        app = Flask("planted")
        app.add_url_rule("/open", "open", lambda: "")
        return app

    def test_a_route_without_a_guard_is_found(self, planted: Flask) -> None:
        # Flask's own, for static files, is one too.
        assert _without_guard(planted) == {"open", "static"}

    def test_a_public_route_is_found(self, planted: Flask) -> None:
        planted.view_functions["open"].guard = guards.public  # type: ignore[attr-defined]
        assert _open_to_all(planted) == {"open"}


def test_the_application_serves_no_static_files(sqlite_app: Flask) -> None:
    assert "static" not in sqlite_app.view_functions
