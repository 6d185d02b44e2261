"""Refreshes: a refresh token works once, and its reuse ends the session (RFC 9700, 4.14.2).

A token that was just used may be presented again: by a second tab, or because the answer was lost.
As long as its session has not ended, the answer is:

| within the grace | user agent | network | answer |
|---|---|---|---|
| yes, the last spent one | the same | the same | the same successor |
| yes, the last spent one | the same | another | 401 `reused`; nothing ends; an event |
| yes, the last spent one | another | any | 401 `reused`; the session ends; an event |
| no, or an older one | any | any | 401 `reused`; the session ends; an event |

"The same" and "another" compare with the client that used the token. User agents are compared as
whole texts; two requests without one have the same. A request without an address has no network,
which equals no other, not even that of another request without an address: a client that cannot be
told apart from a thief is treated as a thief.
"""

from datetime import datetime, timedelta

from ragauth import clock, transaction
from ragauth.errors import (
    AccountSuspended,
    AuthenticationFailed,
    CredentialExpired,
    CredentialRevoked,
    RefreshTokenReused,
    RefreshTokenUsedElsewhere,
)
from ragauth.models import accounts as account_rows
from ragauth.models import sessions as session_rows
from ragauth.models.accounts import ACTIVE, DELETED
from ragauth.models.base import Shown
from ragauth.security.addresses import neighbourhood_of
from ragauth.security.identifiers import SESSION, encode_id
from ragauth.services import audit
from ragauth.services.audit import Client, EventName
from ragauth.services.mail import queue
from ragauth.services.mail.queue import MailTemplate
from ragauth.services.sessions import sessions, tokens
from ragauth.services.sessions.tokens import REFRESH, TokenClaims, TokenPair

# Within this time a used token still gets its successor, for a second tab or a lost answer.
REUSE_GRACE = timedelta(seconds=20)


def refresh(*, refresh_token: str, client: Client) -> TokenPair:
    """Issue the next pair. Repeated refreshes with one token by one client all get the same pair.

    Raises CredentialExpired when the session has reached its maximal age, and RefreshTokenReused
    for a token that was used before.
    """
    now = clock.now()
    # Before the transaction: reading the ring of signing keys may need a connection of its own.
    claims = tokens.read_token(refresh_token, expected=REFRESH)
    with transaction.unit_of_work():
        row = find_standing(claims)
        ends_at = sessions.end_of(now, created_at=row.created_at)
        if ends_at <= now:
            # Only possible if the operator has just shortened the life of sessions; otherwise the
            # token's own end has come first.
            raise CredentialExpired(ends_at, "The session has expired")
        if session_rows.advance_generation(
            claims.session_id,
            generation=claims.generation,
            now=now,
            expires_at=ends_at,
            spender_network=_network_of(client),
            spender_agent=client.user_agent_digest,
        ):
            return tokens.issue_pair(
                account_id=row.account_id,
                session_id=claims.session_id,
                generation=claims.generation + 1,
                rotated_at=now,
                ends_at=ends_at,
            )
        # Another refresh came first, or the token is old: the present row decides.
        current = session_rows.find_with_status(claims.session_id)
        if current is None or claims.generation == current.generation:
            raise CredentialRevoked("The session has ended")
        refusal = refuse_spent(claims, current, now=now, client=client)
        if refusal is not None:
            raise refusal
        return tokens.issue_pair(
            account_id=current.account_id,
            session_id=claims.session_id,
            generation=current.generation,
            rotated_at=current.rotated_at,
            ends_at=current.expires_at,
        )


def find_standing(claims: TokenClaims) -> Shown:
    """The live session and account of a refresh token, in the present transaction.

    The token may have been used. Raises CredentialRevoked or AccountSuspended.
    """
    row = session_rows.find_with_status(claims.session_id)
    if row is None or row.account_id != claims.account_id or row.status == DELETED:
        raise CredentialRevoked("The session has ended")
    if row.status != ACTIVE:
        raise AccountSuspended
    return row


def refuse_spent(
    claims: TokenClaims, row: Shown, *, now: datetime, client: Client
) -> AuthenticationFailed | None:
    """The refusal of a used token; None for the client that used it just now and asks again.

    If the refusal ends the session, it is ended in the present transaction.
    """
    is_last = claims.generation == row.generation - 1
    is_other_agent = row.spender_agent is not None and row.spender_agent != client.user_agent_digest
    is_late = now - row.rotated_at > REUSE_GRACE or clock.is_ahead(row.rotated_at)
    if not is_last or is_late or is_other_agent:
        return _end_session(claims, now=now, client=client)
    if row.ended_at is not None:
        return CredentialRevoked("The session has ended")
    # An earlier version did not store the client that used the token, so no client can be
    # recognised.
    network = None if row.spender_agent is None else _network_of(client)
    if network is None or network != row.spender_network:
        return _refuse_elsewhere(claims, row, client)
    return None


def _end_session(claims: TokenClaims, *, now: datetime, client: Client) -> RefreshTokenReused:
    if session_rows.end_session(claims.session_id, now=now):
        _record(EventName.REFRESH_TOKEN_REUSED, claims, client)
        account = account_rows.find_account(claims.account_id)
        if account is not None:
            queue.queue_notice(template=MailTemplate.SESSION_ENDED, account=account, client=client)
    return RefreshTokenReused()


def _refuse_elsewhere(claims: TokenClaims, row: Shown, client: Client) -> RefreshTokenReused:
    """Refuse a token from another network: a phone that moved, or a thief with the same user agent.

    The two cannot be told apart, so nothing ends: the client that refreshed first continues,
    whether it is the owner's or the thief's. An event tells the owner, once for each generation
    however often the token is presented.
    """
    if session_rows.note_refusal(claims.session_id, generation=row.generation):
        _record(EventName.REFRESH_REFUSED, claims, client)
    return RefreshTokenUsedElsewhere()


def _record(name: EventName, claims: TokenClaims, client: Client) -> None:
    audit.record(
        name,
        account_id=claims.account_id,
        client=client,
        session_id=encode_id(SESSION, claims.session_id),
    )


def _network_of(client: Client) -> str | None:
    network = neighbourhood_of(client.ip)
    return None if network is None else str(network)
