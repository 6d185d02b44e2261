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
    WrongPassword,
)
from ragauth.extensions import db
from ragauth.models import Account
from ragauth.models import accounts as rows
from ragauth.models import agents as agent_rows
from ragauth.models import api_keys as key_rows
from ragauth.models import sessions as session_rows
from ragauth.models.accounts import ACTIVE, DELETED, SUSPENDED
from ragauth.models.base import flush
from ragauth.security import passwords as password_rules
from ragauth.security.emails import canonical_email, canonical_username
from ragauth.security.identifiers import new_uuid
from ragauth.services import api_keys, audit, passwords, plans, sessions
from ragauth.services.access_tokens import TokenPair
from ragauth.services.audit import Client, EventName
from ragauth.services.passwords import StoredPassword

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
    account = create_account(
        email=email, password=password, name=name, username=username, client=client
    )
    tokens = sessions.open_session(account_id=account.id, client=client)
    issued = api_keys.issue_primary_key(account_id=account.id, client=client)
    return SignedUp(account=account, tokens=tokens, api_key=issued.raw_key)


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
    stored = passwords.hash_password(password)
    account = Account(
        id=new_uuid(),
        email=email,
        email_canonical=canonical_email(email),
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
) -> LoggedIn:
    """A new session.

    Raises InvalidLogin, alike in body and time for an unknown account and a wrong password, or
    AccountSuspended once the password was right.
    """
    with transaction.read_only():
        account = _find_by_login(email, username)
    if not passwords.verify_password(password, _stored_password(account)) or account is None:
        # An unknown account costs the same write as a wrong password does.
        audit.record(
            EventName.LOGIN_FAILED, account_id=account.id if account else None, client=client
        )
        raise InvalidLogin
    stored = _stored_password(account)
    renewed = passwords.renew_password(password, stored) if stored else None
    current = rows.lock_account(account.id)
    if current is None or current.password_hash != account.password_hash:
        raise InvalidLogin
    if renewed is not None:
        current.password_hash, current.password_scheme = renewed.hash, renewed.scheme
    if current.status == SUSPENDED:
        raise AccountSuspended
    tokens = sessions.open_session(account_id=current.id, client=client)
    audit.record(EventName.LOGIN_SUCCEEDED, account_id=current.id, client=client)
    return LoggedIn(account=current, tokens=tokens)


def _find_by_login(email: str | None, username: str | None) -> Account | None:
    if username is not None:
        return rows.find_by_username(canonical_username(username))
    try:
        return rows.find_by_email(canonical_email(email or ""))
    except ValueError:
        # Not an address, so nobody's; the answer is that of an unknown account.
        return None


def _stored_password(account: Account | None) -> StoredPassword | None:
    if account is None or account.password_hash is None or account.password_scheme is None:
        return None
    return StoredPassword(account.password_hash, account.password_scheme)


def change_profile(*, account_id: uuid.UUID, changes: dict[str, Any], client: Client) -> Account:
    """Change name or username; raises UsernameTaken."""
    account = rows.lock_account(account_id)
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
    with transaction.read_only():
        account = rows.find_account(account_id)
    if not passwords.verify_password(password, _stored_password(account)):
        raise WrongPassword
    erase_account(account_id=account_id, client=client)


def erase_account(*, account_id: uuid.UUID, client: Client) -> None:
    """End an account without asking for its password; raises CredentialRevoked if it has gone."""
    account = rows.lock_account(account_id)
    if account is None:
        raise CredentialRevoked
    now = clock.now()
    sessions.end_sessions(account_id=account_id, client=client)
    key_rows.revoke_keys_of_account(account_id, now=now)
    key_rows.forget_names(account_id)
    session_rows.forget_clients(account_id)
    agent_rows.delete_agents(account_id)
    account.status = DELETED
    account.email = account.email_canonical = account.email_verified_at = None
    account.username = account.username_canonical = account.name = None
    account.password_hash = account.password_scheme = None
    audit.record(EventName.ACCOUNT_DELETED, account_id=account_id, client=client)
