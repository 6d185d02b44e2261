"""How a call is sent, repeated and read, without doing either: the clients send what it yields.

It is the one place that decides what may be repeated. A check counts what it allows, so it is sent
again only where it has certainly not been sent; every other call does the same when it arrives
twice as when it arrives once.
"""

import json
import logging
import random
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from ragauth_client.errors import (
    BY_CODE,
    Conflict,
    InternalError,
    NotFound,
    RagauthError,
    RateLimitExceeded,
    Unavailable,
    UnexpectedAnswer,
)

log = logging.getLogger("ragauth_client")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
OnUnavailable = Literal["refuse", "allow"]
# A longer wait that ragauth asks for is the caller's to decide on.
_LONGEST_WAIT = 5.0
# What reading raises where something else than ragauth has answered.
_MISREAD = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Settings:
    """Times in seconds. `timeout` is for each try, `verify_timeout` for a check in all."""

    timeout: float
    verify_timeout: float
    on_unavailable: OnUnavailable
    waits: Sequence[float]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class NoAnswer:
    """`may_have_arrived` unless the connection failed before anything was sent."""

    reason: str
    may_have_arrived: bool


@dataclass(frozen=True)
class Send:
    """A step: send this within `timeout` seconds and go on with what came of it."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str | int]
    content: bytes | None
    timeout: float


@dataclass(frozen=True)
class Pause:
    """A step: wait so many seconds."""

    seconds: float


Outcome = Answer | NoAnswer | None
Steps = Generator[Send | Pause, Outcome, T]


class Plan(Protocol[T_co]):
    """What a client can carry out."""

    def steps(self, settings: Settings) -> Steps[T_co]: ...


@dataclass(frozen=True)
class Call(Generic[T]):
    """One call of a route. `read` makes the result from the answer's JSON, None for a 204."""

    method: str
    path: str
    read: Callable[[Any], T]
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    # A POST under /internal that arrives twice with it is carried out once.
    idempotency_key: str | None = None
    is_repeatable: bool = True
    # The result of a failure; without it the failure is raised.
    otherwise: Callable[[RagauthError, Settings], T] | None = None

    def steps(self, settings: Settings) -> Steps[T]:
        """The tries, and the result of the last one."""
        try:
            return (yield from self._tries(settings))
        except RagauthError as failure:
            if self.otherwise is None:
                raise
            return self.otherwise(failure, settings)

    def _tries(self, settings: Settings) -> Steps[T]:
        # A check is over in this time, whatever happens.
        seconds = settings.timeout if self.is_repeatable else settings.verify_timeout
        ends = float("inf") if self.is_repeatable else time.monotonic() + seconds
        waits = iter(settings.waits)
        may_have_arrived = False
        while True:
            try:
                return self._read((yield self._send(min(seconds, ends - time.monotonic()))))
            except NotFound:
                # An earlier try has deleted it, and its answer was lost.
                if self.method == "DELETE" and may_have_arrived:
                    return self.read(None)
                raise
            except RagauthError as failure:
                wait = next(waits, None)
                if wait is None or not self._helps_to_repeat(failure, may_have_arrived):
                    raise
                pause = max(wait * random.uniform(0.75, 1.25), failure.retry_after or 0)  # noqa: S311
                if pause > _LONGEST_WAIT or time.monotonic() + pause >= ends:
                    raise
                may_have_arrived = may_have_arrived or _may_have_arrived(failure)
            yield Pause(pause)

    def _helps_to_repeat(self, failure: RagauthError, may_have_arrived: bool) -> bool:
        if not _may_have_arrived(failure):
            return True
        if not self.is_repeatable:
            return False
        # An earlier try may still be under way; another conflict is answered as one again.
        if isinstance(failure, Conflict):
            return may_have_arrived and self.idempotency_key is not None
        return isinstance(failure, Unavailable | RateLimitExceeded)

    def _send(self, timeout: float) -> Send:
        headers = {} if self.body is None else {"Content-Type": "application/json"}
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        query = {name: value for name, value in self.query.items() if value is not None}
        content = None if self.body is None else json.dumps(self.body).encode("ascii")
        return Send(self.method, self.path, headers, query, content, timeout)

    def _read(self, outcome: Outcome) -> T:
        if not isinstance(outcome, Answer):
            assert outcome is not None  # noqa: S101 - a Send has an outcome
            raise Unavailable(
                f"ragauth does not answer: {outcome.reason}",
                may_have_arrived=outcome.may_have_arrived,
            )
        if outcome.status >= 300:
            raise _failure_in(outcome)
        try:
            return self.read(json.loads(outcome.content) if outcome.content else None)
        except _MISREAD as error:
            raise _unexpected(outcome) from error


def _may_have_arrived(failure: RagauthError) -> bool:
    return not isinstance(failure, Unavailable) or failure.may_have_arrived


def is_outage(failure: RagauthError) -> bool:
    """Whether ragauth is away or too busy, rather than asked wrongly."""
    return isinstance(failure, Unavailable | RateLimitExceeded | InternalError)


def _failure_in(answer: Answer) -> RagauthError:
    """The error of an answer."""
    try:
        error = json.loads(answer.content)["error"]
        kind, message = BY_CODE[error["code"]], str(error["message"])
        details = dict(error.get("details") or {})
    except _MISREAD:
        return _unexpected(answer)
    return kind(
        message,
        status=answer.status,
        details=details,
        request_id=answer.headers.get("x-request-id"),
        retry_after=_retry_after(answer),
    )


def _unexpected(answer: Answer) -> RagauthError:
    """The error of an answer that is none of ragauth's; a gateway answers so while it is away."""
    kind = Unavailable if answer.status in (502, 503, 504) else UnexpectedAnswer
    return kind(
        "What answered does not speak as ragauth does",
        status=answer.status,
        request_id=answer.headers.get("x-request-id"),
        retry_after=_retry_after(answer),
    )


def _retry_after(answer: Answer) -> int | None:
    text = answer.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
