"""RAGAUTH_COMPAT mounts faces; what lies around every route lies around theirs too."""

from collections.abc import Callable

import pytest
from flask import Flask

from ragauth.web import guards
from tests.clients import Client, error, ok

LISTED = "https://dashboard.example.com"
PATHS = {
    "ragchats": "/compat/ragchats/api/agents/",
    "rst": "/compat/rst/v1/auth/api-keys",
    "unkey": "/compat/unkey/v2/keys.whoami",
}
# Whoever adds a route of a face without a credential adds it here, and says why it needs none.
_PUBLIC = {
    "compat_ragchats.log_in": "shows a password",
    "compat_ragchats.refresh": "shows a refresh token",
    "compat_ragchats.openapi": "is read by developers",
    "compat_rst.openapi": "is read by developers",
    "compat_rst.register": "has no account yet",
    "compat_rst.log_in": "shows a password",
    "compat_unkey.openapi": "is read by developers",
}


class TestMounting:
    def test_by_default_there_is_no_face(self, client: Client) -> None:
        for path in PATHS.values():
            error(client.get(path), 404, "NOT_FOUND")

    def test_each_is_mounted_alone(self, make_app: Callable[..., Flask]) -> None:
        client = Client(make_app(compat=("rst", "rst")))
        assert client.get(PATHS["rst"]).status_code == 401
        error(client.get(PATHS["ragchats"]), 404, "NOT_FOUND")

    def test_the_contract_stays_as_it_was(self, faces: Client) -> None:
        ok(faces.sign_up().client.get("/api/auth/me"))
        for path in ("/compat", "/compat/", "/compat/other", "/compat/rstx/v1/me", "/v1/me"):
            error(faces.get(path), 404, "NOT_FOUND")


class TestGuards:
    def test_every_route_of_a_face_has_one(self, app_with_faces: Flask) -> None:
        found = {
            name: getattr(getattr(view, "declaration", None), "guard", None)
            for name, view in app_with_faces.view_functions.items()
            if name.startswith("compat_")
        }
        assert len(found) > 10
        assert {name for name, guard in found.items() if guard is None} == set()
        assert {name for name, guard in found.items() if guard is guards.public} == set(_PUBLIC)


class TestAroundEveryRoute:
    @pytest.fixture
    def strict(self, make_app: Callable[..., Flask]) -> Client:
        return Client(make_app(compat=tuple(PATHS), require_https=True, cors_origins=(LISTED,)))

    def test_plain_http_is_refused_in_the_faces_words(self, strict: Client) -> None:
        headers = {"X-Request-Id": "my-request"}
        bodies = [strict.get(path, headers=headers).get_json() for path in PATHS.values()]
        assert bodies == [
            {"error": "https_required", "message": "HTTPS is required", "details": {}},
            {"detail": "HTTPS is required"},
            {
                "meta": {"requestId": "my-request"},
                "error": {
                    "detail": "HTTPS is required",
                    "status": 403,
                    "title": "Forbidden",
                    "type": "https://unkey.com/docs/errors/unkey/authorization/forbidden",
                },
            },
        ]

    def test_the_listed_dashboards_may_call_from_a_browser(self, strict: Client) -> None:
        """S18: CORS answers listed origins only, with `Vary: Origin` always."""
        for path in (PATHS["ragchats"], PATHS["rst"]):
            for origin, allowed in ((LISTED, LISTED), ("https://evil.test", None)):
                response = strict.get(
                    path, headers={"Origin": origin}, base_url="https://auth.example.com"
                )
                assert response.headers.get("Access-Control-Allow-Origin") == allowed
                assert "Origin" in response.headers["Vary"]
        for path in ("/compat/rst/v1/me", PATHS["unkey"]):
            response = strict.get(
                path, headers={"Origin": LISTED}, base_url="https://auth.example.com"
            )
            assert "Access-Control-Allow-Origin" not in response.headers

    def test_an_answer_to_a_key_says_what_is_left(self, faces: Client) -> None:
        response = faces.sign_up().key_client.get("/compat/rst/v1/me")
        assert '"month";r=1000' in response.headers["RateLimit"]
        assert "RateLimit-Policy" in response.headers

    def test_a_crash_tells_nothing_but_that(self, make_app: Callable[..., Flask]) -> None:
        app = make_app(compat=tuple(PATHS))

        def crash() -> None:
            raise RuntimeError("postgresql://user:hunter2@db/ragauth")

        for name in PATHS:
            app.add_url_rule(f"/compat/{name}/crash", f"crash_{name}", crash)
        headers = {"X-Request-Id": "my-request"}
        answers = [Client(app).get(f"/compat/{name}/crash", headers=headers) for name in PATHS]
        assert [one.status_code for one in answers] == [500, 500, 500]
        assert [one.get_json() for one in answers] == [
            {
                "error": "internal_error",
                "message": "Internal server error",
                "details": {"request_id": "my-request"},
            },
            {"detail": "Internal server error"},
            {
                "meta": {"requestId": "my-request"},
                "error": {
                    "detail": "Internal server error",
                    "status": 500,
                    "title": "Internal Server Error",
                    "type": "https://unkey.com/docs/errors/unkey/application/unexpected_error",
                },
            },
        ]
