"""The Authorization header of a route that asks for an access token (RFC 6750 section 2.1)."""

from collections.abc import Callable

from flask import Flask

from tests.cases import for_each
from tests.clients import Client, error, ok
from tests.compat.faces import UUID
from tests.factories.api_keys import make_service_key

ME = "/api/auth/me"
EMPTY = ["", " ", "Bearer", "bearer", "Bearer ", "BEARER  ", "Bearer \t"]


class TestHeaders:
    def test_the_scheme_is_case_insensitive(self, client: Client) -> None:
        member = client.sign_up()
        for scheme in ("Bearer", "bearer", "BEARER", "bEaReR"):
            ok(client.get(ME, headers={"Authorization": f"{scheme} {member.token}"}))

    @for_each("header", EMPTY)
    def test_an_empty_header_is_none(self, client: Client, header: str) -> None:
        response = client.get(ME, headers={"Authorization": header})
        error(response, 401, "AUTHENTICATION_ERROR", "missing")
        response = client.get(ME, headers={"Authorization": header, "X-API-Key": "x"})
        error(response, 401, "AUTHENTICATION_ERROR", "wrong_credential_type")

    @for_each("header", EMPTY)
    @for_each("path", ["/api/v1/me", "/api/v1/authorize", "/api/v1/unknown"])
    def test_an_empty_one_beside_a_key_is_none(
        self, client: Client, header: str, path: str
    ) -> None:
        member = client.sign_up()
        expected = member.key_client.get(path)
        response = member.key_client.get(path, headers={"Authorization": header})
        assert response.status_code == expected.status_code
        assert response.status_code in (200, 404)
        alone = client.get(path, headers={"Authorization": header})
        error(alone, 401, "AUTHENTICATION_ERROR", "missing")

    @for_each("header", EMPTY)
    def test_an_empty_one_beside_a_service_s_key_is_none(self, client: Client, header: str) -> None:
        service = client.as_key(make_service_key(client.app, "verify", "accounts", "usage"))
        body = {"key": client.sign_up().api_key}
        empty = {"Authorization": header}
        assert ok(service.post("/api/v1/keys/verify", body, headers=empty))["valid"]
        for path in ("/api/v1/internal/accounts", "/api/v1/internal/usage", "/api/v1/me"):
            ok(service.get(path, headers=empty))

    @for_each("header", EMPTY)
    def test_on_another_face_too(
        self, client: Client, make_app: Callable[..., Flask], header: str
    ) -> None:
        caller = Client(make_app(compat=("rst", "ragchats"))).as_key(client.sign_up().api_key)
        empty = {"Authorization": header}
        assert caller.get("/compat/rst/v1/me", headers=empty).status_code == 200
        path = f"/compat/ragchats/api/agents/{UUID}/query/"
        refused = caller.post(path, {"message": "Hello"}, headers=empty)
        assert refused.get_json()["error"] == "wrong_agent"

    @for_each(
        "header",
        [
            *(", ,", "Basic YTpi", "Token x", "Bearerx", "x", "Basic", "Bearer, Bearer"),
            *(
                "Bearer \xe9.\xe9.\xe9",
                "\xe9",
                "Bearer a b",
                "Bearer a.b.c, Bearer d.e.f",
            ),
            *('Digest username="x"', "Bearer x", "Bearer .", "Bearer a.b", "Bearer a.b.c.d"),
        ],
    )
    def test_what_is_no_bearer_token_is_malformed(self, client: Client, header: str) -> None:
        response = client.get(ME, headers={"Authorization": header})
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")

    def test_two_headers_are_none(self, client: Client) -> None:
        member = client.sign_up()
        both = f"Bearer {member.token},Bearer {member.token}"
        response = client.get(ME, headers={"Authorization": both})
        error(response, 401, "AUTHENTICATION_ERROR", "malformed")

    def test_a_token_in_query_or_cookie_is_not_read(self, client: Client) -> None:
        """S27: no token in a URL."""
        token = client.sign_up().token
        response = client.get(f"{ME}?access_token={token}&jwt={token}")
        error(response, 401, "AUTHENTICATION_ERROR", "missing")
        response = client.get(ME, headers={"Cookie": f"access_token_cookie={token}"})
        error(response, 401, "AUTHENTICATION_ERROR", "missing")
