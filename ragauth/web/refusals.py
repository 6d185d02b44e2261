"""Refusals that several routes have in common, for their declarations."""

from ragauth.errors import (
    AccountSuspended,
    ConfirmationReused,
    CredentialExpired,
    CredentialInvalid,
    CredentialMalformed,
    CredentialMissing,
    CredentialRevoked,
    OriginNotAllowed,
    RateLimitExceeded,
    RefreshTokenReused,
    TooManyHashes,
    WrongCredentialType,
    WrongPassword,
)

# A password that confirms an action is hashed, and wrong ones are counted.
PASSWORD = (WrongPassword, TooManyHashes, RateLimitExceeded)
# A token from a mail, or from the first step of a login.
SINGLE_USE_TOKEN = (CredentialInvalid, CredentialExpired, ConfirmationReused, AccountSuspended)
# In cookie mode a page of another site may not use the cookie.
REFRESH_TOKEN = (
    CredentialMissing,
    CredentialMalformed,
    CredentialInvalid,
    WrongCredentialType,
    CredentialExpired,
    CredentialRevoked,
    RefreshTokenReused,
    AccountSuspended,
    OriginNotAllowed,
)
