"""Refreshes: a refresh token is good once, and its reuse ends the session (RFC 9700, 4.14.2)."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from ragauth import clock
from ragauth.errors import (
    AccountSuspended,
    CredentialExpired,
    CredentialRevoked,
    RefreshTokenReused,
)
from ragauth.models import accounts as account_rows
from ragauth.models import sessions as rows
from ragauth.models.accounts import ACTIVE, DELETED
from ragauth.security.identifiers import SESSION, encode_id
from ragauth.services import access_tokens, audit, mail, sessions
from ragauth.services.access_tokens import REFRESH, TokenClaims, TokenPair
from ragauth.services.audit import Client, EventName
from ragauth.services.mail import MailTemplate

# Two tabs, or an answer that was lost: within this time a spent token still gets its successor.
REUSE_GRACE = timedelta(seconds=20)


def refresh(*, refresh_token: str, client: Client) -> TokenPair:
    """The next pair. Of many refreshes with one token all get the same.

    Raises CredentialExpired once the session has lasted for as long as one may, and
    RefreshTokenReused, after the session was ended, for a token that was spent before.
    """
    now = clock.now()
    claims, row = read_presented(refresh_token)
    ends_at = sessions.end_of(now, created_at=row.created_at)
    if ends_at <= now:
        # Of an operator who has just shortened what a session may last; else its token knows.
        raise CredentialExpired(ends_at, "The session has expired")
    if rows.advance_generation(
        claims.session_id, generation=claims.generation, now=now, expires_at=ends_at
    ):
        return access_tokens.issue_pair(
            account_id=row.account_id,
            session_id=claims.session_id,
            generation=claims.generation + 1,
            rotated_at=now,
            ends_at=ends_at,
        )
    # Another was first, or the token is old: what the row says now decides.
    current = rows.find_with_status(claims.session_id)
    if current is None or claims.generation == current.generation:
        raise CredentialRevoked("The session has ended")
    if not was_spent_just_now(claims, current, now):
        raise end_reused_session(claims, now=now, client=client)
    if current.ended_at is not None:
        raise CredentialRevoked("The session has ended")
    return access_tokens.issue_pair(
        account_id=current.account_id,
        session_id=claims.session_id,
        generation=current.generation,
        rotated_at=current.rotated_at,
        ends_at=current.expires_at,
    )


def read_presented(refresh_token: str) -> tuple[TokenClaims, Row[*tuple[Any, ...]]]:
    """What a refresh token says, and how its session and account stand; it may be spent.

    Raises AuthenticationFailed, or AccountSuspended.
    """
    claims = access_tokens.read_token(refresh_token, expected=REFRESH)
    row = rows.find_with_status(claims.session_id)
    if row is None or row.account_id != claims.account_id or row.status == DELETED:
        raise CredentialRevoked("The session has ended")
    if row.status != ACTIVE:
        raise AccountSuspended
    return claims, row


def was_spent_just_now(claims: TokenClaims, row: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """Whether it is the last spent token, and within its grace."""
    is_last: bool = claims.generation == row.generation - 1
    return is_last and now - row.rotated_at <= REUSE_GRACE


def end_reused_session(claims: TokenClaims, *, now: datetime, client: Client) -> RefreshTokenReused:
    """A refresh token that was spent before came again: its session ends for good.

    Returns what is to be raised.
    """
    if rows.end_session(claims.session_id, now=now):
        audit.record(
            EventName.REFRESH_TOKEN_REUSED,
            account_id=claims.account_id,
            client=client,
            session_id=encode_id(SESSION, claims.session_id),
        )
        account = account_rows.find_account(claims.account_id)
        if account is not None:
            mail.queue_notice(template=MailTemplate.SESSION_ENDED, account=account, client=client)
    return RefreshTokenReused()
