"""Sessions: opened by a login, listed, ended for good. `refreshes` continues them."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ragauth import clock, transaction
from ragauth.errors import (
    AccountSuspended,
    CredentialExpired,
    CredentialRevoked,
    NoSuchSession,
)
from ragauth.extensions import current, settings
from ragauth.models import Session
from ragauth.models import sessions as session_rows
from ragauth.models.accounts import ACTIVE
from ragauth.models.base import Page, insert_object
from ragauth.models.reads.sessions import SessionLookup
from ragauth.security.identifiers import SESSION, encode_id, new_uuid
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.sessions import tokens as access_tokens
from ragauth.services.sessions.tokens import ACCESS, TokenClaims, TokenPair


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as its owner sees it."""

    id: uuid.UUID
    email: str
    username: str | None
    name: str | None
    plan: str
    email_verified: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who presented an access token."""

    account: AccountView
    session_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its owner sees it."""

    id: uuid.UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None
    current: bool


def open_session(*, account_id: uuid.UUID, client: Client) -> TokenPair:
    """Open a session in the present transaction; returns its first pair of tokens."""
    now = clock.now()
    session = Session(
        id=new_uuid(),
        account_id=account_id,
        generation=0,
        rotated_at=now,
        created_at=now,
        last_used_at=now,
        expires_at=end_of(now, created_at=now),
        ip=client.ip,
        user_agent=client.user_agent,
    )
    insert_object(session)
    return access_tokens.issue_pair(
        account_id=account_id,
        session_id=session.id,
        generation=0,
        rotated_at=now,
        ends_at=session.expires_at,
    )


def authenticate(*, token: str) -> Caller:
    """The caller of an access token, if its session is live and its account active.

    Raises AuthenticationFailed or AccountSuspended.
    """
    claims = access_tokens.read_token(token, expected=ACCESS)
    lookup: SessionLookup = current().session_lookup
    facts = lookup.find_session(claims.session_id)
    if facts is None or facts.account_id != claims.account_id or facts.is_ended:
        raise CredentialRevoked("The session has ended")
    if facts.expires_at <= clock.now():
        raise CredentialExpired(facts.expires_at, "The session has expired")
    if facts.account_status != ACTIVE:
        raise AccountSuspended
    return Caller(
        account=AccountView(
            id=facts.account_id,
            email=facts.email,
            username=facts.username,
            name=facts.name,
            plan=facts.plan,
            email_verified=facts.email_verified,
            created_at=facts.account_created_at,
        ),
        session_id=claims.session_id,
    )


def read_any_token(token: str) -> TokenClaims:
    """The claims of an access or refresh token, expired or not; raises AuthenticationFailed."""
    return access_tokens.read_token(token, expected=None, allow_expired=True)


def log_out(*, tokens: Iterable[TokenClaims], client: Client) -> None:
    """End the sessions of access and refresh tokens; ignore those that have ended already."""
    with transaction.unit_of_work():
        for claims in tokens:
            if session_rows.end_session(claims.session_id, now=clock.now()):
                _record_end(claims.account_id, claims.session_id, client)


def list_sessions(*, caller: Caller, limit: int, cursor: uuid.UUID | None) -> Page[SessionView]:
    """List the caller's live sessions; the present one is marked."""
    with transaction.read_only():
        page = session_rows.list_live(
            caller.account.id, now=clock.now(), limit=limit, cursor=cursor
        )
    return Page(
        [
            SessionView(
                id=row.id,
                created_at=row.created_at,
                last_used_at=row.last_used_at,
                expires_at=row.expires_at,
                ip=row.ip,
                user_agent=row.user_agent,
                current=row.id == caller.session_id,
            )
            for row in page.items
        ],
        page.next_cursor,
    )


def end_session(*, account_id: uuid.UUID, session_id: uuid.UUID, client: Client) -> None:
    """End one of the account's live sessions; raises NoSuchSession."""
    with transaction.unit_of_work():
        now = clock.now()
        if session_rows.find_live(
            account_id, session_id, now=now
        ) is None or not session_rows.end_session(session_id, now=now):
            raise NoSuchSession
        _record_end(account_id, session_id, client)


def end_other_sessions(*, caller: Caller, and_this_one: bool, client: Client) -> None:
    """End the caller's other sessions, or all of them."""
    with transaction.unit_of_work():
        end_sessions(
            account_id=caller.account.id,
            except_session_id=None if and_this_one else caller.session_id,
            client=client,
        )


def end_sessions(
    *, account_id: uuid.UUID, client: Client, except_session_id: uuid.UUID | None = None
) -> int:
    """End all of the account's sessions, except the one that is named; returns how many.

    In the present transaction.
    """
    ended = session_rows.end_sessions(
        account_id, now=clock.now(), except_session_id=except_session_id
    )
    if ended:
        audit.record(EventName.SESSIONS_ENDED, account_id=account_id, client=client, count=ended)
    return ended


def delete_dead_sessions(*, before: datetime, limit: int) -> int:
    """Delete sessions that ended or expired before a moment; returns how many."""
    with transaction.unit_of_work():
        deleted = session_rows.delete_expired(before=before, limit=limit)
        return deleted + session_rows.delete_ended(before=before, limit=limit - deleted)


def end_of(now: datetime, *, created_at: datetime) -> datetime:
    """The end of a session that is not refreshed again: the earlier of idle and absolute end."""
    idle_end = now + timedelta(seconds=settings().refresh_token_seconds)
    return min(idle_end, created_at + timedelta(seconds=settings().session_seconds))


def _record_end(account_id: uuid.UUID, session_id: uuid.UUID, client: Client) -> None:
    audit.record(
        EventName.SESSION_ENDED,
        account_id=account_id,
        client=client,
        session_id=encode_id(SESSION, session_id),
    )
