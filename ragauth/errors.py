"""Every failure that a caller can meet: its code, its status and its message.

The wire form is `{"error": {"code", "message", "details"?}}`. Services raise these; no view
catches one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from ragauth.clock import format_time


class RagauthError(Exception):
    """A failure with a place in the contract."""

    code: ClassVar[str] = "INTERNAL_ERROR"
    status: ClassVar[int] = 500
    message: str = "Internal server error"
    # A failure that must keep what it wrote (a session ended because its token was reused)
    # is committed before it is raised on.
    keeps_changes: ClassVar[bool] = False

    def __init__(
        self,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.details: dict[str, Any] = dict(details or {})
        self.headers: dict[str, str] = dict(headers or {})
        super().__init__(self.message)


class InvalidRequest(RagauthError):
    """A body, query or path that does not fit.

    `issues` has one `{"path": [...], "message": ...}` for each fault.
    """

    code = "VALIDATION_ERROR"
    status = 400
    message = "Invalid request"

    def __init__(
        self, issues: Sequence[Mapping[str, Any]] = (), message: str | None = None
    ) -> None:
        super().__init__(message, details={"issues": list(issues)})


class UnsupportedMediaType(RagauthError):
    code = "VALIDATION_ERROR"
    status = 415
    message = "The request body must be sent as application/json"


class BodyTooLarge(RagauthError):
    code = "VALIDATION_ERROR"
    status = 413
    message = "The request body is larger than 64 KiB"


# --- 401 ---------------------------------------------------------------------------------------

_REALM = 'Bearer realm="ragauth"'


class AuthenticationFailed(RagauthError):
    """No credential, or one that does not hold; `details.reason` says which.

    `WWW-Authenticate` follows RFC 6750 section 3: no error code when the request carried no
    credential at all.
    """

    code = "AUTHENTICATION_ERROR"
    status = 401
    reason: ClassVar[str] = "invalid"
    challenge: ClassVar[str | None] = "invalid_token"

    def __init__(self, message: str | None = None, *, details: Mapping[str, Any] | None = None):
        super().__init__(message, details={"reason": self.reason, **(details or {})})
        self.headers["WWW-Authenticate"] = (
            _REALM
            if self.challenge is None
            else f'{_REALM}, error="{self.challenge}", error_description="{self.message}"'
        )


class CredentialMissing(AuthenticationFailed):
    reason = "missing"
    challenge = None
    message = "A credential is required"


class CredentialMalformed(AuthenticationFailed):
    reason = "malformed"
    challenge = "invalid_request"
    message = "The credential is malformed"


class CredentialInvalid(AuthenticationFailed):
    reason = "invalid"
    message = "The credential is not valid"


class CredentialExpired(AuthenticationFailed):
    reason = "expired"
    message = "The credential has expired"

    def __init__(self, expired_at: datetime, message: str | None = None) -> None:
        super().__init__(message, details={"expired_at": format_time(expired_at)})


class CredentialRevoked(AuthenticationFailed):
    reason = "revoked"
    message = "The credential has been revoked"


class RefreshTokenReused(AuthenticationFailed):
    reason = "reused"
    message = "The refresh token was used before; its session has been ended"
    keeps_changes = True


class WrongCredentialType(AuthenticationFailed):
    reason = "wrong_credential_type"
    message = "This kind of credential is not accepted here"


class InvalidLogin(AuthenticationFailed):
    """The same for an unknown account and a wrong password."""

    reason = "invalid"
    challenge = None
    message = "Invalid email or password"
    keeps_changes = True


class WrongPassword(AuthenticationFailed):
    """The caller's session holds, the password that should confirm an act does not."""

    reason = "invalid"
    challenge = None
    message = "Invalid password"
    keeps_changes = True


# --- 403 ---------------------------------------------------------------------------------------


class AuthorizationFailed(RagauthError):
    """A valid credential that may not do this; `details.reason` says why."""

    code = "AUTHORIZATION_ERROR"
    status = 403
    reason: ClassVar[str] = ""

    def __init__(self, message: str | None = None, *, details: Mapping[str, Any] | None = None):
        super().__init__(message, details={"reason": self.reason, **(details or {})})


class InsufficientScope(AuthorizationFailed):
    reason = "insufficient_scope"
    message = "The key does not have the scope that this needs"

    def __init__(self, required_scope: str) -> None:
        super().__init__(details={"required_scope": required_scope})
        self.headers["WWW-Authenticate"] = (
            f'{_REALM}, error="insufficient_scope", scope="{required_scope}"'
        )


class WrongAgent(AuthorizationFailed):
    reason = "wrong_agent"
    message = "The key may not be used for this agent"


class AccountSuspended(AuthorizationFailed):
    reason = "account_suspended"
    message = "The account is suspended"


class IpNotAllowed(AuthorizationFailed):
    reason = "ip_not_allowed"
    message = "The key may not be used from this address"


class OriginNotAllowed(AuthorizationFailed):
    reason = "origin_not_allowed"
    message = "The key may not be used from this origin"


class HttpsRequired(AuthorizationFailed):
    reason = "https_required"
    message = "HTTPS is required"


# --- 404, 409, 429, 503 ------------------------------------------------------------------------


class NotFound(RagauthError):
    """No such thing, or another account's: the two answers are the same."""

    code = "NOT_FOUND"
    status = 404
    message = "Not found"


class Conflict(RagauthError):
    code = "CONFLICT"
    status = 409
    message = "Another change was made at the same time"


class EmailTaken(Conflict):
    message = "An account with this email already exists"


class UsernameTaken(Conflict):
    message = "An account with this username already exists"


class KeyAlreadyRotated(Conflict):
    message = "This key has already been replaced by another"


class RateLimitExceeded(RagauthError):
    """Too many in a short window; waiting `retry_after_seconds` helps."""

    code = "RATE_LIMIT_EXCEEDED"
    status = 429
    message = "Too many requests"

    def __init__(
        self,
        retry_after_seconds: int,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            message, details=details, headers={"Retry-After": str(max(1, retry_after_seconds))}
        )


class UsageLimitExceeded(RagauthError):
    """The plan's monthly quota, or its number of keys or agents, is used up."""

    code = "USAGE_LIMIT_EXCEEDED"
    status = 429
    message = "The plan's limit is used up"


class ExternalServiceUnavailable(RagauthError):
    """A database, Redis or mail server that is out of reach."""

    code = "EXTERNAL_SERVICE_ERROR"
    status = 503
    message = "A service that this needs is out of reach; try again shortly"
    retry_after_seconds: ClassVar[int] = 2

    def __init__(
        self, message: str | None = None, *, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(
            message, details=details, headers={"Retry-After": str(self.retry_after_seconds)}
        )
