"""Asks the upstream service that answers questions to agents: over HTTP, within bounds."""

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ragauth import clock
from ragauth.errors import ExternalServiceUnavailable, UpstreamFailed
from ragauth.extensions import current
from ragauth.outbound import UNPACKED, UnusableAnswer, open_client, read_body

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("ragauth")

MAX_ANSWER_BYTES = 1024 * 1024
_OUT_OF_REACH = "The service that answers questions is out of reach; try again shortly"
# Half of a process's threads by default: a slow upstream must not keep keys from being checked.
_MAX_QUESTIONS_AT_ONCE = 4
# With these the upstream refuses ragauth's own request, not the client's credential.
_NOT_FOR_THE_CLIENT = frozenset({401, 403, 407})


class TimeLimits(NamedTuple):
    """Seconds to connect, between two pieces of the answer, for all of it, for a free place."""

    connect: float = 2.0
    pause: float = 30.0
    whole: float = 60.0
    place: float = 0.5


@dataclass(frozen=True, slots=True)
class UpstreamAnswer:
    """The part of the upstream's answer that the client gets: JSON and Retry-After."""

    status: int
    body: bytes
    retry_after: str | None


class QueryUpstream:
    """The upstream at a base URL; a `url` of None means that none is configured."""

    def __init__(self, url: str | None, limits: TimeLimits | None = None) -> None:
        self._url = url
        self._limits = limits or TimeLimits()
        self._client: httpx.Client | None = None
        self._opening = threading.Lock()

    @property
    def is_set(self) -> bool:
        return self._url is not None

    def ask(
        self, path: str, question: Mapping[str, Any], headers: Mapping[str, str]
    ) -> UpstreamAnswer:
        """POST a question. Nothing of the client's request is sent but what is given here.

        Raises ExternalServiceUnavailable for an upstream that is not configured, cannot be reached
        or is too slow, UpstreamFailed for an answer that cannot be used. A question is never
        repeated, because each may cost money.
        """
        if self._url is None:
            raise ExternalServiceUnavailable(
                "This installation has no service that answers questions"
            )
        import httpx  # noqa: PLC0415 - only where there is an upstream

        content = json.dumps(question, separators=(",", ":")).encode("ascii")
        try:
            return self._exchange(self._url.rstrip("/") + path, content, headers)
        except UnusableAnswer as error:
            raise _failed(str(error)) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise _unavailable(error) from error
        except (httpx.ConnectError, httpx.InvalidURL) as error:
            raise _unavailable(error) from error
        except httpx.HTTPError as error:
            raise _failed(type(error).__name__) from error

    def _exchange(self, url: str, content: bytes, headers: Mapping[str, str]) -> UpstreamAnswer:
        ends_at = clock.monotonic() + self._limits.whole
        with self._open_client().stream(
            "POST",
            url,
            content=content,
            headers={**headers, "Content-Type": "application/json", **UNPACKED},
        ) as response:
            body = read_body(response, most_bytes=MAX_ANSWER_BYTES, ends_at=ends_at)
            status = response.status_code
            if not _is_for_the_client(status):
                raise UnusableAnswer(f"status {status}")
            if not _is_json(body):
                raise UnusableAnswer("not JSON")
            return UpstreamAnswer(status, body, response.headers.get("Retry-After"))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _open_client(self) -> "httpx.Client":
        """Open the client with the first question, so after any fork; all threads share it."""
        import httpx  # noqa: PLC0415

        with self._opening:
            if self._client is None:
                limits = self._limits
                self._client = open_client(
                    httpx.Timeout(limits.pause, connect=limits.connect, pool=limits.place),
                    httpx.Limits(max_connections=_MAX_QUESTIONS_AT_ONCE),
                )
            return self._client


def current_upstream() -> QueryUpstream:
    """The upstream of the running application."""
    upstream: QueryUpstream = current().query_upstream
    return upstream


def _is_for_the_client(status: int) -> bool:
    """Whether a status is for the client: an answer, or a fault of the question."""
    return 200 <= status < 300 or (400 <= status < 500 and status not in _NOT_FOR_THE_CLIENT)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _unavailable(error: Exception) -> ExternalServiceUnavailable:
    log.error("the query upstream did not answer", extra={"cause": type(error).__name__})
    return ExternalServiceUnavailable(_OUT_OF_REACH)


def _failed(cause: str) -> UpstreamFailed:
    log.error("the query upstream gave no usable answer", extra={"cause": cause})
    return UpstreamFailed()
