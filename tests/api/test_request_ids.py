"""X-Request-Id: the caller's, if it is one, else a new one."""

import re

from tests.cases import for_each
from tests.clients import Client

PATHS = ["/healthz", "/api/auth/me", "/unknown", "/api/v1/authorize", "/api/v1/unknown"]


class TestRequestIds:
    @for_each("path", PATHS)
    @for_each("presented", ["a", "A-z.0_9", "x" * 128])
    def test_the_callers_is_given_back(self, client: Client, path: str, presented: str) -> None:
        response = client.get(path, headers={"X-Request-Id": presented})
        assert response.headers.getlist("X-Request-Id") == [presented]

    @for_each("path", PATHS)
    @for_each("presented", ["", " ", "x" * 129, "a b", "é", "a,b", "<script>", "a/b"])
    def test_what_is_none_is_replaced(self, client: Client, path: str, presented: str) -> None:
        """S28: log lines cannot be forged by input."""
        response = client.get(path, headers={"X-Request-Id": presented})
        assert re.fullmatch(r"[A-Za-z0-9._-]{16,128}", response.headers["X-Request-Id"])
        assert response.headers["X-Request-Id"] != presented

    @for_each("path", PATHS)
    def test_every_request_has_its_own(self, client: Client, path: str) -> None:
        ids = {client.get(path).headers["X-Request-Id"] for _ in range(5)}
        assert len(ids) == 5
