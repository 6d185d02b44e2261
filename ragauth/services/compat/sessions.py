"""Sessions for the compat faces: a login in one step, and a refresh token that stays the same.

See docs/adr/0020-compat-faces.md.
"""

from typing import Any

from ragauth import clock, transaction
from ragauth.errors import (
    AccountSuspended,
    CredentialExpired,
    CredentialInvalid,
    CredentialMalformed,
    CredentialRevoked,
    InvalidLogin,
    RateLimitExceeded,
    RefreshTokenReused,
    SecondFactorNotOffered,
    TooManyHashes,
    WrongCredentialType,
)
from ragauth.models import sessions as session_rows
from ragauth.services.accounts import accounts
from ragauth.services.accounts.accounts import LoggedIn
from ragauth.services.audit import Client
from ragauth.services.sessions import refreshes, tokens

LOGIN_REFUSALS = (
    InvalidLogin,
    AccountSuspended,
    SecondFactorNotOffered,
    TooManyHashes,
    RateLimitExceeded,
)
REFRESH_REFUSALS = (
    CredentialMalformed,
    CredentialInvalid,
    CredentialExpired,
    CredentialRevoked,
    RefreshTokenReused,
    WrongCredentialType,
    AccountSuspended,
)


def log_in(*, client: Client, **credentials: Any) -> LoggedIn:
    """Open a session, for a face without a second step.

    Raises as `accounts.log_in` does, and SecondFactorNotOffered if the account has a second factor.
    """
    return _require_logged_in(accounts.log_in(**credentials, client=client))


def _require_logged_in(outcome: object) -> LoggedIn:
    if not isinstance(outcome, LoggedIn):
        raise SecondFactorNotOffered
    return outcome


def renew_access_token(*, refresh_token: str, client: Client) -> str:
    """Issue a further access token; the refresh token stays valid until its session ends.

    No second refresh token is made, so a session never has two valid ones. A refresh token that was
    used up by the contract's route is refused here as it is there (RefreshTokenReused): the client
    that used it just now still gets an access token, and all others are treated as in `refreshes`.
    """
    now = clock.now()
    claims = tokens.read_token(refresh_token, expected=tokens.REFRESH)
    with transaction.unit_of_work():
        row = refreshes.find_standing(claims)
        if claims.generation != row.generation:
            refusal = refreshes.refuse_spent(claims, row, now=now, client=client)
            if refusal is not None:
                raise refusal
        # The session may have ended since it was read; this update detects that.
        if not session_rows.touch_session(claims.session_id, now=now):
            raise CredentialRevoked("The session has ended")
        return tokens.issue_access_token(
            account_id=claims.account_id,
            session_id=claims.session_id,
            generation=row.generation,
            ends_at=row.expires_at,
        )
