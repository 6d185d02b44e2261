"""Every failure that a caller can meet: its code, its status and its message.

The wire form is `{"error": {"code", "message", "details"?}}`. Services raise these; no view
catches one.
"""

from ragauth.errors.base import RagauthError
from ragauth.errors.credentials import (
    AccountSuspended,
    AuthenticationFailed,
    AuthorizationFailed,
    CredentialExpired,
    CredentialInvalid,
    CredentialMalformed,
    CredentialMissing,
    CredentialRevoked,
    HttpsRequired,
    InsufficientScope,
    InvalidLogin,
    IpNotAllowed,
    OriginNotAllowed,
    RefreshTokenReused,
    WrongAgent,
    WrongCredentialType,
    WrongPassword,
)
from ragauth.errors.requests import (
    BodyTooLarge,
    Conflict,
    EmailTaken,
    ExternalServiceUnavailable,
    InvalidRequest,
    KeyAlreadyRotated,
    NotFound,
    RateLimitExceeded,
    TooManyHashes,
    UnsupportedMediaType,
    UsageLimitExceeded,
    UsernameTaken,
)

__all__ = [
    "AccountSuspended",
    "AuthenticationFailed",
    "AuthorizationFailed",
    "BodyTooLarge",
    "Conflict",
    "CredentialExpired",
    "CredentialInvalid",
    "CredentialMalformed",
    "CredentialMissing",
    "CredentialRevoked",
    "EmailTaken",
    "ExternalServiceUnavailable",
    "HttpsRequired",
    "InsufficientScope",
    "InvalidLogin",
    "InvalidRequest",
    "IpNotAllowed",
    "KeyAlreadyRotated",
    "NotFound",
    "OriginNotAllowed",
    "RagauthError",
    "RateLimitExceeded",
    "RefreshTokenReused",
    "TooManyHashes",
    "UnsupportedMediaType",
    "UsageLimitExceeded",
    "UsernameTaken",
    "WrongAgent",
    "WrongCredentialType",
    "WrongPassword",
]
