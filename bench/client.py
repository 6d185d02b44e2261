"""A small HTTP client for what wrk cannot do: pace, retry, remember."""

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

from bench import population


class Caller:
    """One caller with one connection, which it keeps unless told otherwise."""

    def __init__(self, url: str, timeout_seconds: float = 60) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=timeout_seconds
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        credential: str | None = None,
        body: dict[str, Any] | None = None,
        keep: bool = True,
    ) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        headers = {} if keep else {"Connection": "close"}
        if credential is not None:
            headers["Authorization"] = f"Bearer {credential}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, content, headers)
        with self._connection.getresponse() as response:
            return response.status, response.read()

    def log_in(self, number: int) -> str:
        """The access token of an account, once there is room for its login."""
        token: str = self.open_session(number)["token"]
        return token

    def open_session(self, number: int) -> dict[str, Any]:
        """What a login answers, once there is room for it."""
        body = {"email": population.email(number), "password": population.PASSWORD}
        while True:
            # Each try on a new connection: a worker that is busy need not be the next one's.
            status, content = self.ask("POST", "/api/auth/login", body=body, keep=False)
            if status == 200:
                session: dict[str, Any] = json.loads(content)["data"]
                return session
            if status != 429:
                raise RuntimeError(f"login answered {status}: {content!r}")
            time.sleep(1)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
