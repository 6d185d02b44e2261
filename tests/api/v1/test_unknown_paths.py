"""Every path below /api/v1, known or not, asks for a key first."""

from tests.cases import for_each
from tests.clients import Client, error
from tests.factories.api_keys import make_service_key, unknown_key

PATHS = [
    *("/api/v1", "/api/v1/", "/api/v1/unknown", "/api/v1/unknown/", "/api/v1/me/x"),
    *("/api/v1/authorized", "/api/v1//me", "/api/v1/%2e%2e/auth/me", "/api/v1/keys"),
]


class TestUnknownPaths:
    @for_each("path", PATHS)
    def test_without_a_key_nothing_is_told(self, client: Client, path: str) -> None:
        error(client.get(path), 401, "AUTHENTICATION_ERROR", "missing")
        response = client.as_key(unknown_key()).get(path)
        error(response, 401, "AUTHENTICATION_ERROR", "invalid")
        response = client.sign_up().client.get(path)
        error(response, 401, "AUTHENTICATION_ERROR", "wrong_credential_type")

    @for_each("path", PATHS)
    def test_with_a_key_there_is_nothing(self, client: Client, path: str) -> None:
        error(client.sign_up().key_client.get(path), 404, "NOT_FOUND")
        error(client.as_key(make_service_key(client.app, "verify")).get(path), 404, "NOT_FOUND")


class TestWrongMethod:
    @for_each(
        ("method", "path", "allowed"),
        [
            ("DELETE", "/api/v1/me", {"GET", "HEAD", "OPTIONS"}),
            ("GET", "/api/v1/keys/verify", {"POST", "OPTIONS"}),
            ("GET", "/api/v1/keys/revoke", {"POST", "OPTIONS"}),
        ],
    )
    def test_the_key_comes_first_here_too(
        self, client: Client, method: str, path: str, allowed: set[str]
    ) -> None:
        error(client.request(method, path), 401, "AUTHENTICATION_ERROR", "missing")
        response = client.sign_up().key_client.request(method, path)
        error(response, 405, "VALIDATION_ERROR")
        assert set(response.headers["Allow"].split(", ")) == allowed
