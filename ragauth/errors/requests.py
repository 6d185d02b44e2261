"""What a request can be wrong in, run into or ask of a service that is away."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Self

from ragauth.errors.base import RagauthError

# A small request must not cause a much larger answer.
MOST_ISSUES = 100
_LONGEST_MESSAGE = 300


class InvalidRequest(RagauthError):
    """A body, query or path that does not fit.

    `issues` has one `{"path": [...], "message": ...}` for each fault, up to a hundred; the next
    one says that there are more. The message tells the first one and how many there are beside it.
    """

    code = "VALIDATION_ERROR"
    status = 400
    message = "Invalid request"

    def __init__(
        self, issues: Iterable[Mapping[str, Any]] = (), message: str | None = None
    ) -> None:
        told = list(islice(issues, MOST_ISSUES + 1))
        if len(told) > MOST_ISSUES:
            told[MOST_ISSUES] = {"path": [], "message": "There are more faults"}
        super().__init__(message or _summary(told), details={"issues": told})

    @classmethod
    def example(cls) -> Self:
        return cls([{"path": ["name"], "message": "Required"}])


def _summary(issues: Sequence[Mapping[str, Any]]) -> str | None:
    """The first fault in words, and how many more there are; bounded in length."""
    if not issues:
        return None
    place = ".".join(map(str, issues[0]["path"]))
    text = f"{place}: {issues[0]['message']}" if place else str(issues[0]["message"])
    if len(text) > _LONGEST_MESSAGE:
        text = f"{text[:_LONGEST_MESSAGE]}…"
    others = len(issues) - 1
    if others == 0:
        return text
    return f"{text} (and {'at least ' if others == MOST_ISSUES else ''}{others} more)"


class MethodNotAllowed(RagauthError):
    code = "VALIDATION_ERROR"
    status = 405
    message = "This method is not allowed here; the Allow header names those that are"


class RequestRefused(RagauthError):
    """What the router or the HTTP library refused; its headers (`Allow`) stay."""

    code = "VALIDATION_ERROR"
    status = 400
    message = "The request was refused"
    _CODES: ClassVar[Mapping[int, str]] = {
        401: "AUTHENTICATION_ERROR",
        403: "AUTHORIZATION_ERROR",
        404: "NOT_FOUND",
        409: "CONFLICT",
        429: "RATE_LIMIT_EXCEEDED",
    }

    def __init__(self, status: int, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message, headers=headers)
        self.status = status
        default = "VALIDATION_ERROR" if status < 500 else "INTERNAL_ERROR"
        self.code = self._CODES.get(status, default)


class UnsupportedMediaType(RagauthError):
    code = "VALIDATION_ERROR"
    status = 415
    message = "The request body must be sent as application/json"


class BodyTooLarge(RagauthError):
    code = "VALIDATION_ERROR"
    status = 413
    message = "The request body is larger than 64 KiB"

    @classmethod
    def than(cls, most_bytes: int) -> Self:
        """The refusal where so many bytes are allowed."""
        return cls(f"The request body is larger than {most_bytes // 1024} KiB")


class NotFound(RagauthError):
    """No such thing, or another account's: the two answers are the same."""

    code = "NOT_FOUND"
    status = 404
    message = "No such thing, or it is not yours"


class NoSuchRoute(NotFound):
    """No route has this path, for any caller."""

    message = "There is no such route"


class NoSuchAccount(NotFound):
    message = "There is no such account"


class NoSuchAgent(NotFound):
    message = "No such agent, or it is not yours"


class NoSuchKey(NotFound):
    message = "No such key, or it is not yours"


class NoSuchSession(NotFound):
    message = "No such session, or it is not yours"


class NoSuchKeyspace(NotFound):
    message = "There is no such collection of keys"


class NoSuchScope(NotFound):
    message = "No such scope was declared"


class NoSuchWebhook(NotFound):
    message = "There is no such webhook"


class NoSuchDelivery(NotFound):
    message = "There is no such delivery to this webhook"


class NoSuchReservation(NotFound):
    """Never made, or kept by a store that was lost, or over for more than a day."""

    message = "There is no such reservation"


class Conflict(RagauthError):
    code = "CONFLICT"
    status = 409
    message = "Another change was made at the same time"


class EmailTaken(Conflict):
    message = "An account with this email already exists"


class UsernameTaken(Conflict):
    message = "An account with this username already exists"


class ExternalIdTaken(Conflict):
    message = "An account with this external id already exists"


class AccountOfKeyspace(Conflict):
    """A keyspace's own account ends with the keyspace, which would have no place for keys else."""

    message = "The account belongs to a collection of keys: delete the collection"


class TooManyWebhooks(Conflict):
    message = "There are as many webhooks as there may be; remove one"


class WebhookIsOff(Conflict):
    message = "The webhook is switched off; switch it on first"


class IdempotencyKeyReused(Conflict):
    """One Idempotency-Key is for one call: a repetition must have the same body."""

    message = "This Idempotency-Key was sent with another body before"


class CallUnderWay(Conflict):
    """The first call with this Idempotency-Key has not ended: whether it succeeds is not known."""

    message = "A call with this Idempotency-Key is under way; repeat it shortly"


class ScopeTaken(Conflict):
    message = "A scope with this name was declared already"


class KeyStays(Conflict):
    """A key that cannot be moved to another account."""

    message = "The key cannot be moved to another account"


class KeyAlreadyRotated(Conflict):
    message = "This key has already been replaced by another"


class ReservationSettled(Conflict):
    message = "The reservation was settled with another amount already"


class ReservationOver(Conflict):
    message = "The reservation was not settled in time; what it reserved stays counted"


class SecondFactorExists(Conflict):
    message = "The account has a second factor already"


class RateLimitExceeded(RagauthError):
    """Too many in a short window; waiting `retry_after_seconds` helps, None where it does not."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429
    message = "Too many requests"

    def __init__(
        self,
        retry_after_seconds: int | None,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        headers = {}
        if retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, retry_after_seconds))
        super().__init__(message, details=details, headers=headers)

    @classmethod
    def example(cls) -> Self:
        return cls(60)


class TooManyHashes(RateLimitExceeded):
    """Every hashing slot is taken; one is free again within a second or so."""

    message = "Too many logins at the moment; try again shortly"

    def __init__(self) -> None:
        super().__init__(1)

    @classmethod
    def example(cls) -> Self:
        return cls()


class ExportUnderWay(RateLimitExceeded):
    """An export is running: one for each account at a time, and few in all."""

    message = "Another export is being made; try again shortly"

    def __init__(self) -> None:
        super().__init__(5)

    @classmethod
    def example(cls) -> Self:
        return cls()


class UsageLimitExceeded(RagauthError):
    """A quota, or the plan's number of keys or agents, has no room for one more."""

    code = "USAGE_LIMIT_EXCEEDED"
    status = 429
    message = "A limit is used up"


class ExternalServiceUnavailable(RagauthError):
    """A database, Redis or mail server that is out of reach."""

    code = "EXTERNAL_SERVICE_ERROR"
    status = 503
    message = "The database or another part of the service does not answer; try again shortly"
    retry_after_seconds: ClassVar[int] = 2

    def __init__(
        self, message: str | None = None, *, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(
            message, details=details, headers={"Retry-After": str(self.retry_after_seconds)}
        )


class UpstreamFailed(ExternalServiceUnavailable):
    """What a compat face hands questions to gave no usable answer."""

    status = 502
    message = "The service that answers questions gave no usable answer"
