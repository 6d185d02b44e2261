"""Why a credential is refused: it does not hold (401), or may not do this (403)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from ragauth.clock import format_time
from ragauth.errors.base import RagauthError

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
    # Whether the session of the presented token may live on.
    leaves_the_session: ClassVar[bool] = False

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

    @classmethod
    def example(cls) -> Self:
        return cls(datetime(2024, 1, 15, 10, 30, tzinfo=UTC))


class CredentialRevoked(AuthenticationFailed):
    reason = "revoked"
    message = "The credential has been revoked"


class RefreshTokenReused(AuthenticationFailed):
    reason = "reused"
    message = "The refresh token was used before; its session has been ended"
    keeps_changes = True


class RefreshTokenUsedElsewhere(RefreshTokenReused):
    message = "The refresh token was used before, from another network"
    leaves_the_session = True


class ConfirmationReused(AuthenticationFailed):
    """A single-use token was presented a second time."""

    reason = "reused"
    message = "The token was used before"


class WrongCredentialType(AuthenticationFailed):
    reason = "wrong_credential_type"
    message = "This kind of credential is not accepted here"


class InvalidLogin(AuthenticationFailed):
    """The same for an unknown account and a wrong password."""

    reason = "invalid"
    challenge = None
    message = "Invalid email or password"


class WrongPassword(AuthenticationFailed):
    """The caller's session holds, the password that should confirm an act does not."""

    reason = "invalid"
    challenge = None
    message = "Invalid password"


class InvalidCode(AuthenticationFailed):
    """The caller's password or session holds, the code of the second factor does not.

    A code that was right and is used a second time is no better than a wrong one.
    """

    reason = "invalid"
    challenge = None
    message = "Invalid code"
    keeps_changes = True


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
        super().__init__(
            f"The key does not have the scope {required_scope}",
            details={"required_scope": required_scope},
        )
        self.headers["WWW-Authenticate"] = (
            f'{_REALM}, error="insufficient_scope", scope="{required_scope}"'
        )

    @classmethod
    def example(cls) -> Self:
        return cls("ingest")


class ScopeQueryNotMet(AuthorizationFailed):
    """A question asked for a combination of scopes that the key does not have."""

    reason = "insufficient_scope"
    message = "The key does not have the scopes that this needs"

    def __init__(self, query: str) -> None:
        super().__init__(details={"required_scopes": query})
        self.headers["WWW-Authenticate"] = f'{_REALM}, error="insufficient_scope"'

    @classmethod
    def example(cls) -> Self:
        return cls("query AND (ingest OR manage)")


class KeyIsManaged(AuthorizationFailed):
    """The owner of a managed key tries what only the operator may do with it."""

    reason = "insufficient_scope"
    message = "The key is your provider's: you may see and revoke it only"

    def __init__(self) -> None:
        super().__init__()
        self.headers["WWW-Authenticate"] = f'{_REALM}, error="insufficient_scope"'


class WrongAgent(AuthorizationFailed):
    reason = "wrong_agent"
    message = "The key may not be used for this agent"


class AccountSuspended(AuthorizationFailed):
    reason = "account_suspended"
    message = "The account is suspended"


class SecondFactorNotOffered(AuthorizationFailed):
    """The password was right, but the face that asks has no second step."""

    reason = "second_factor_required"
    message = "This account has a second factor, and this login cannot ask for its code"


class IpNotAllowed(AuthorizationFailed):
    reason = "ip_not_allowed"
    message = "The key may not be used from this address"


class OriginNotAllowed(AuthorizationFailed):
    reason = "origin_not_allowed"
    message = "The key may not be used from this origin"


class HttpsRequired(AuthorizationFailed):
    reason = "https_required"
    message = "HTTPS is required"
