"""What a call raises: one class for each code of ragauth, and what a view raises to refuse."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragauth_client.models import Verdict


class RagauthError(Exception):
    """ragauth refused a call, or did not answer it.

    `status` is None where there was no answer; `details` is what the code has beside its message,
    `request_id` what to look for in ragauth's log, `retry_after` in seconds, where waiting helps.
    """

    code = "INTERNAL_ERROR"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status
        self.details: Mapping[str, Any] = details or {}
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        about = [str(self.status or "no answer"), self.code]
        if self.request_id:
            about.append(f"request {self.request_id}")
        return f"{self.message} ({', '.join(about)})"


class InvalidRequest(RagauthError):
    """400, 405, 413, 415: the call itself is wrong; `issues` has each fault and its place."""

    code = "VALIDATION_ERROR"

    @property
    def issues(self) -> list[dict[str, Any]]:
        """`[{"path": ["email"], "message": "Required"}]`"""
        return list(self.details.get("issues", ()))


class AuthenticationFailed(RagauthError):
    """401: the service key is wrong, expired or revoked."""

    code = "AUTHENTICATION_ERROR"


class NotAllowed(RagauthError):
    """403: the service key lacks the scope of this call."""

    code = "AUTHORIZATION_ERROR"


class NotFound(RagauthError):
    code = "NOT_FOUND"


class Conflict(RagauthError):
    """409: the e-mail or external id is taken, or two changes met."""

    code = "CONFLICT"


class RateLimitExceeded(RagauthError):
    code = "RATE_LIMIT_EXCEEDED"


class UsageLimitExceeded(RagauthError):
    """429: a quota, or the plan's number of keys, is used up."""

    code = "USAGE_LIMIT_EXCEEDED"


class Unavailable(RagauthError):
    """ragauth is out of reach, or what it needs is.

    `may_have_arrived` is False only where the call has certainly not been sent.
    """

    code = "EXTERNAL_SERVICE_ERROR"

    def __init__(self, message: str, *, may_have_arrived: bool = True, **about: Any) -> None:
        super().__init__(message, **about)
        self.may_have_arrived = may_have_arrived


class InternalError(RagauthError):
    """500: a bug of ragauth."""


class UnexpectedAnswer(RagauthError):
    """What answered does not speak as ragauth does: is the URL right?"""

    code = "UNEXPECTED_ANSWER"


class Refused(Exception):
    """The caller's request may not go on; `verdict` has the answer for him.

    The integrations relay it, wherever in a view it is raised.
    """

    def __init__(self, verdict: "Verdict") -> None:
        super().__init__(verdict.message or verdict.code)
        self.verdict = verdict


BY_CODE: Mapping[str, type[RagauthError]] = {
    error.code: error
    for error in (
        InvalidRequest,
        AuthenticationFailed,
        NotAllowed,
        NotFound,
        Conflict,
        RateLimitExceeded,
        UsageLimitExceeded,
        Unavailable,
        InternalError,
    )
}
