"""WWW-Authenticate as RFC 6750 section 3 wants it."""

import re

from werkzeug.test import TestResponse

from tests.clients import Client, error
from tests.factories.api_keys import unknown_key

# realm first, then error="..." and the like; a quoted value has no quote and no backslash.
FORM = re.compile(r'Bearer realm="ragauth"(?:, (\w+)="([\x20-\x21\x23-\x5b\x5d-\x7e]*)")*')


def challenge(response: TestResponse) -> dict[str, str]:
    (header,) = response.headers.getlist("WWW-Authenticate")
    assert FORM.fullmatch(header), header
    return dict(re.findall(r'(\w+)="([^"]*)"', header))


class TestWwwAuthenticate:
    def test_without_a_credential_there_is_no_error_code(self, client: Client) -> None:
        for path in ("/api/auth/me", "/api/v1/me", "/api/v1/authorize", "/api/v1/unknown"):
            response = client.get(path)
            error(response, 401, "AUTHENTICATION_ERROR", "missing")
            assert challenge(response) == {"realm": "ragauth"}

    def test_a_malformed_credential_is_an_invalid_request(self, client: Client) -> None:
        for path in ("/api/auth/me", "/api/v1/me", "/api/v1/authorize"):
            response = client.get(path, headers={"Authorization": "Basic YTpi"})
            error(response, 401, "AUTHENTICATION_ERROR", "malformed")
            assert challenge(response)["error"] == "invalid_request"

    def test_a_bad_credential_is_an_invalid_token(self, client: Client) -> None:
        member = client.sign_up()
        for response, reason in (
            (client.as_user("a.b.c").get("/api/auth/me"), "invalid"),
            (client.as_user(member.api_key).get("/api/auth/me"), "wrong_credential_type"),
            (member.client.get("/api/v1/me"), "wrong_credential_type"),
            (client.as_key(unknown_key()).get("/api/v1/me"), "invalid"),
            (client.as_key(unknown_key()).get("/api/v1/authorize"), "invalid"),
        ):
            error(response, 401, "AUTHENTICATION_ERROR", reason)
            found = challenge(response)
            assert set(found) == {"realm", "error", "error_description"}
            assert found["error"] == "invalid_token"

    def test_a_scope_that_is_missing_is_named(self, client: Client) -> None:
        key = client.sign_up().create_key(scopes=["query"])["api_key"]
        response = client.as_key(key).get("/api/v1/authorize?scope=manage")
        error(response, 403, "AUTHORIZATION_ERROR", "insufficient_scope")
        found = challenge(response)
        assert (found["error"], found["scope"]) == ("insufficient_scope", "manage")

    def test_a_wrong_password_is_no_bearer_token(self, client: Client) -> None:
        body = {"email": "nobody@example.com", "password": "wrong password"}
        response = client.post("/api/auth/login", body)
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        assert challenge(response) == {"realm": "ragauth"}
