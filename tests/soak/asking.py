"""One request over a connection of its own, with the times before and after it."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Longer than every bound that is held, so that the answer to a request that took too long is seen.
GIVE_UP_SECONDS = 20.0
_CHECKS = ("/api/v1/authorize", "/api/v1/keys/verify")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` is None where nothing did, and then `cause` says why.

    Times are `time.monotonic()`'s, in seconds.
    """

    host: str
    method: str
    path: str
    began: float
    ended: float
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cause: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_unknown(self) -> bool:
        """Whether what was asked for may have happened all the same."""
        return self.status is None or self.status >= 500

    @property
    def is_check(self) -> bool:
        return self.path.startswith(_CHECKS)

    @property
    def data(self) -> Any:
        """The `data` of a success."""
        return json.loads(self.body)["data"]

    @property
    def next_cursor(self) -> str | None:
        """Where a list goes on; None on its last page."""
        cursor: str | None = json.loads(self.body)["meta"]["next_cursor"]
        return cursor

    @property
    def error(self) -> dict[str, Any]:
        """The `error` of a refusal; empty where the body is no envelope."""
        try:
            error = json.loads(self.body)["error"]
        except (ValueError, KeyError, TypeError):
            return {}
        return error if isinstance(error, dict) else {}

    def __str__(self) -> str:
        said = self.cause or self.error.get("message") or ""
        return (
            f"{self.host} {self.method} {self.path}: {self.status} in {self.seconds:.2f} s {said}"
        )


def ask(
    host: str,
    port: int,
    method: str,
    path: str,
    *,
    credential: str | None = None,
    body: Mapping[str, Any] | None = None,
    give_up_seconds: float = GIVE_UP_SECONDS,
) -> Answer:
    """Send one request to the host's port on loopback; never raises for what a host does."""
    headers = {"Connection": "close", "User-Agent": "ragauth soak"}
    if credential is not None:
        headers["Authorization"] = f"Bearer {credential}"
    content = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        content = json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=give_up_seconds)
    began = time.monotonic()
    try:
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        received = response.read()
    except (OSError, http.client.HTTPException) as error:
        cause = type(error).__name__
        return Answer(host, method, path, began, time.monotonic(), None, cause=cause)
    finally:
        connection.close()
    return Answer(
        host,
        method,
        path,
        began,
        time.monotonic(),
        response.status,
        {name.lower(): value for name, value in response.getheaders()},
        received,
    )
