"""Accounts: signing up, logging in, changing a profile, leaving."""

import uuid
from dataclasses import dataclass
from typing import Any

from ragauth import clock, transaction
from ragauth.errors import (
    AccountSuspended,
    CredentialRevoked,
    EmailTaken,
    InvalidLogin,
    InvalidRequest,
    UsernameTaken,
)
from ragauth.extensions import db
from ragauth.models import Account
from ragauth.models import accounts as rows
from ragauth.models import api_keys as key_rows
from ragauth.models.accounts import ACTIVE, SUSPENDED
from ragauth.models.base import flush
from ragauth.security import passwords as password_rules
from ragauth.security.emails import canonical_email, canonical_username
from ragauth.security.identifiers import new_uuid
from ragauth.services import audit
from ragauth.services.account_lock import lock_account
from ragauth.services.accounts import emails, erasure, hashing, second_factors
from ragauth.services.accounts.hashing_gate import share_of
from ragauth.services.accounts.passwords import confirm_password, stored_password
from ragauth.services.accounts.second_factors import SecondFactorRequired
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import api_keys
from ragauth.services.limits import plans, throttles
from ragauth.services.sessions import sessions
from ragauth.services.sessions.tokens import TokenPair

_CONFLICTS = {
    "uq_accounts_email_canonical": EmailTaken,
    "uq_accounts_username_canonical": UsernameTaken,
}


@dataclass(frozen=True, slots=True)
class SignedUp:
    account: Account
    tokens: TokenPair
    api_key: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    account: Account
    tokens: TokenPair


def sign_up(
    *, email: str, password: str, name: str | None, username: str | None, client: Client
) -> SignedUp:
    """A new account with its first session and its primary key.

    Raises EmailTaken or UsernameTaken; of many signups with one address at once, one succeeds.
    """
    account = register(email=email, password=password, name=name, username=username, client=client)
    tokens = sessions.open_session(account_id=account.id, client=client)
    issued = api_keys.issue_primary_key(account_id=account.id, client=client)
    return SignedUp(account=account, tokens=tokens, api_key=issued.raw_key)


def register(
    *, email: str, password: str, name: str | None, username: str | None, client: Client
) -> Account:
    """What every sign-up does, whichever face it comes through; no session and no key yet."""
    account = create_account(
        email=email, password=password, name=name, username=username, client=client
    )
    emails.send_verification(account)
    return account


def create_account(
    *,
    email: str,
    password: str,
    name: str | None,
    username: str | None,
    client: Client,
    plan: str | None = None,
) -> Account:
    """A new account without a session or a key. Hashes before the transaction begins."""
    weakness = password_rules.find_weakness(password, [email, username, name])
    if weakness is not None:
        raise InvalidRequest([{"path": ["password"], "message": weakness}])
    email_canonical = canonical_email(email)
    with throttles.signups_of_address(client).attempts():
        stored = hashing.hash_password(password, share_of(client.ip, email_canonical))
    account = Account(
        id=new_uuid(),
        email=email,
        email_canonical=email_canonical,
        username=username,
        username_canonical=canonical_username(username) if username else None,
        name=name,
        password_hash=stored.hash,
        password_scheme=stored.scheme,
        plan=plan or plans.FIRST_PLAN,
        status=ACTIVE,
        created_at=clock.now(),
    )
    db.session.add(account)
    flush(_CONFLICTS)
    audit.record(EventName.ACCOUNT_CREATED, account_id=account.id, client=client)
    return account


def log_in(
    *, email: str | None = None, username: str | None = None, password: str, client: Client
) -> LoggedIn | SecondFactorRequired:
    """A new session or, for an account with a second factor, what its second step needs.

    Raises InvalidLogin, alike in body and time for an unknown account and a wrong password,
    RateLimitExceeded after too many of them, or AccountSuspended once the password was right.
    """
    account = _check_password(email, username, password, client)
    stored = stored_password(account)
    share = share_of(client.ip, account.id)
    renewed = hashing.renew_password(password, stored, share) if stored else None
    current = lock_account(account.id)
    if current is not None and current.password_hash != account.password_hash:
        # Another login has just hashed it anew, or it was changed: only a further look can tell.
        # It hashes, so it takes place without the lock.
        transaction.release()
        account, renewed = _check_password(email, username, password, client), None
        current = lock_account(account.id)
    if current is None or current.password_hash != account.password_hash:
        raise InvalidLogin
    if renewed is not None:
        current.password_hash, current.password_scheme = renewed.hash, renewed.scheme
    if current.status == SUSPENDED:
        raise AccountSuspended
    challenge = second_factors.challenge(account_id=current.id)
    if challenge is not None:
        return challenge
    tokens = sessions.open_session(account_id=current.id, client=client)
    audit.record(EventName.LOGIN_SUCCEEDED, account_id=current.id, client=client)
    return LoggedIn(account=current, tokens=tokens)


def _check_password(
    email: str | None, username: str | None, password: str, client: Client
) -> Account:
    """The account whose password it is, as it was before the hash; raises InvalidLogin."""
    with throttles.failed_logins_of_address(client).failures():
        with transaction.read_only():
            login, account = _find_by_login(email, username)
            account_id = account.id if account else None
            is_familiar = throttles.is_familiar(account_id, client)
        with throttles.login_attempt(
            login=login, account_id=account_id, is_familiar=is_familiar, client=client
        ) as may_pass:
            stored = stored_password(account) if may_pass else None
            # The name that was presented, not whose it is: who finds room would tell it.
            share = share_of(client.ip, login)
            if not hashing.verify_password(password, stored, share) or account is None:
                # An unknown account costs the same write as a wrong password does.
                audit.record(EventName.LOGIN_FAILED, account_id=account_id, client=client)
                raise InvalidLogin
    return account


def _find_by_login(email: str | None, username: str | None) -> tuple[str, Account | None]:
    """The name in its canonical form, and whose it is."""
    if username is not None:
        login = canonical_username(username)
        return login, rows.find_by_username(login)
    try:
        login = canonical_email(email or "")
    except ValueError:
        # Not an address, so nobody's; the answer is that of an unknown account.
        return email or "", None
    return login, rows.find_by_email(login)


def change_profile(*, account_id: uuid.UUID, changes: dict[str, Any], client: Client) -> Account:
    """Change name or username; raises UsernameTaken."""
    account = lock_account(account_id)
    if account is None:
        raise CredentialRevoked
    if "name" in changes:
        account.name = changes["name"]
    if "username" in changes:
        username = changes["username"]
        account.username = username
        account.username_canonical = canonical_username(username) if username else None
    flush(_CONFLICTS)
    if changes:
        audit.record(
            EventName.ACCOUNT_CHANGED,
            account_id=account_id,
            client=client,
            fields=sorted(changes),
        )
    return account


def delete_account(*, account_id: uuid.UUID, password: str, client: Client) -> None:
    """Leave: every session and key dies at once, and nothing personal stays.

    The row remains without a name, so that a key or token of it is known as dead.
    Raises WrongPassword.
    """
    confirm_password(account_id=account_id, password=password, client=client)
    erase_account(account_id=account_id, client=client)


def erase_account(*, account_id: uuid.UUID, client: Client) -> None:
    """End an account without asking for its password; raises CredentialRevoked if it has gone."""
    account = lock_account(account_id)
    if account is None:
        raise CredentialRevoked
    sessions.end_sessions(account_id=account_id, client=client)
    key_rows.revoke_keys_of_account(account_id, now=clock.now())
    erasure.erase_account(account)
    audit.record(EventName.ACCOUNT_DELETED, account_id=account_id, client=erasure.NOBODY)
