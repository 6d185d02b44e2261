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

# A password that confirms an act is hashed, and guesses at it are counted.
PASSWORD = (WrongPassword, TooManyHashes, RateLimitExceeded)
# A token out of a mail, or of a login's first step.
SINGLE_USE_TOKEN = (CredentialInvalid, CredentialExpired, ConfirmationReused, AccountSuspended)
# In cookie mode another site's page may not use the cookie.
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
