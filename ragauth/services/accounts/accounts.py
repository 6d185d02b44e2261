"""Accounts: signing up, logging in, changing a profile, leaving."""

import uuid
from dataclasses import dataclass
from typing import Any

from ragauth import clock, transaction
from ragauth.errors import (
    AccountSuspended,
    EmailTaken,
    ExternalIdTaken,
    InvalidLogin,
    InvalidRequest,
    UsernameTaken,
)
from ragauth.models import Account
from ragauth.models import accounts as account_rows
from ragauth.models.accounts import ACTIVE, SUSPENDED
from ragauth.models.base import flush, insert_object
from ragauth.policy import FIRST_PLAN
from ragauth.security import passwords as password_rules
from ragauth.security.emails import canonical_email, canonical_username
from ragauth.security.identifiers import new_uuid
from ragauth.services import audit
from ragauth.services.account_lock import hold_account, lock_account
from ragauth.services.accounts import emails, erasure, hashing, second_factors
from ragauth.services.accounts.hashing import StoredPassword
from ragauth.services.accounts.hashing_gate import share_of
from ragauth.services.accounts.passwords import confirm_password, stored_password
from ragauth.services.accounts.second_factors import SecondFactorRequired
from ragauth.services.audit import Client, EventName
from ragauth.services.keys import api_keys
from ragauth.services.limits import throttles
from ragauth.services.sessions import sessions
from ragauth.services.sessions.tokens import TokenPair

_CONFLICTS = {
    "uq_accounts_email_canonical": EmailTaken,
    "uq_accounts_username_canonical": UsernameTaken,
    "uq_accounts_external_id": ExternalIdTaken,
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
    """Make an account with its first session and its primary key.

    Raises EmailTaken or UsernameTaken; of simultaneous signups with one address, exactly one
    succeeds.
    """
    stored = hash_new_password(password, email, username, name, client)
    with transaction.unit_of_work():
        account = add_account(
            email=email, stored=stored, name=name, username=username, client=client
        )
        emails.send_verification(account)
        tokens = sessions.open_session(account_id=account.id, client=client)
        issued = api_keys.issue_primary_key(account_id=account.id, client=client)
    return SignedUp(account=account, tokens=tokens, api_key=issued.raw_key)


def register(
    *, email: str, password: str, name: str | None, username: str | None, client: Client
) -> Account:
    """Make an account for a face whose users log in afterwards; it has no session and no key yet.

    Raises as `sign_up` does.
    """
    stored = hash_new_password(password, email, username, name, client)
    with transaction.unit_of_work():
        account = add_account(
            email=email, stored=stored, name=name, username=username, client=client
        )
        emails.send_verification(account)
    return account


def hash_new_password(
    password: str, email: str, username: str | None, name: str | None, client: Client
) -> StoredPassword:
    """Hash a new account's password, counted as a signup; InvalidRequest if it is easy to guess."""
    weakness = password_rules.find_weakness(password, [email, username, name])
    if weakness is not None:
        raise InvalidRequest([{"path": ["password"], "message": weakness}])
    with throttles.signups_of_address(client).attempts():
        return hashing.hash_password(password, share_of(client.ip, canonical_email(email)))


def add_account(
    *,
    email: str | None,
    stored: StoredPassword | None,
    name: str | None,
    username: str | None,
    client: Client,
    plan: str = FIRST_PLAN,
    external_id: str | None = None,
    metadata: dict[str, Any] | None = None,
    limits: list[dict[str, Any]] | None = None,
) -> Account:
    """Add the row in the present transaction; every new account passes here.

    Nobody logs in to an account without a password. Raises EmailTaken, UsernameTaken or
    ExternalIdTaken.
    """
    account = Account(
        id=new_uuid(),
        email=email,
        email_canonical=canonical_email(email) if email else None,
        username=username,
        username_canonical=canonical_username(username) if username else None,
        name=name,
        password_hash=stored and stored.hash,
        password_scheme=stored and stored.scheme,
        plan=plan,
        status=ACTIVE,
        created_at=clock.now(),
        external_id=external_id,
        own_data=metadata,
        limits=limits,
    )
    insert_object(account, _CONFLICTS)
    audit.record(EventName.ACCOUNT_CREATED, account_id=account.id, client=client)
    return account


def log_in(
    *, email: str | None = None, username: str | None = None, password: str, client: Client
) -> LoggedIn | SecondFactorRequired:
    """Open a session or, for an account with a second factor, return what its second step needs.

    Raises InvalidLogin, with the same body and after the same time for an unknown account and a
    wrong password; RateLimitExceeded after too many failures; AccountSuspended only if the password
    was right.
    """
    account = _check_password(email, username, password, client)
    stored = stored_password(account)
    share = share_of(client.ip, account.id)
    renewed = hashing.renew_password(password, stored, share) if stored else None
    logged_in = _begin_session(account, renewed, client)
    if logged_in is None:
        # Another login has renewed the hash, or the password was changed: check again.
        account = _check_password(email, username, password, client)
        logged_in = _begin_session(account, None, client)
    if logged_in is None:
        raise InvalidLogin
    return logged_in


def _begin_session(
    checked: Account, renewed: StoredPassword | None, client: Client
) -> LoggedIn | SecondFactorRequired | None:
    """Log in to an account whose password was checked; None if its hash has changed since."""
    with transaction.unit_of_work():
        account = lock_account(checked.id)
        if account is None or account.password_hash != checked.password_hash:
            return None
        if renewed is not None:
            account.password_hash, account.password_scheme = renewed.hash, renewed.scheme
        if account.status == SUSPENDED:
            raise AccountSuspended
        challenge = second_factors.challenge(account_id=account.id)
        if challenge is not None:
            return challenge
        tokens = sessions.open_session(account_id=account.id, client=client)
        audit.record(EventName.LOGIN_SUCCEEDED, account_id=account.id, client=client)
    return LoggedIn(account=account, tokens=tokens)


def _check_password(
    email: str | None, username: str | None, password: str, client: Client
) -> Account:
    """Return the account whose password this is, as it was before the check.

    Raises InvalidLogin after the throttles have counted the failure and an event is recorded.
    """
    account_id = None
    try:
        with throttles.failed_logins_of_address(client).failures():
            with transaction.read_only():
                login, account = _find_by_login(email, username)
                account_id = account.id if account else None
                is_familiar = throttles.is_familiar(account_id, client)
            with throttles.login_attempt(
                login=login, account_id=account_id, is_familiar=is_familiar, client=client
            ) as may_pass:
                stored = stored_password(account) if may_pass else None
                # The share is that of the presented name, not of the account: otherwise a free
                # place would tell which account the name belongs to.
                share = share_of(client.ip, login)
                if not hashing.verify_password(password, stored, share) or account is None:
                    raise InvalidLogin
    except InvalidLogin:
        # An unknown account costs the same write as a wrong password does.
        with transaction.unit_of_work():
            audit.record(EventName.LOGIN_FAILED, account_id=account_id, client=client)
        raise
    return account


def _find_by_login(email: str | None, username: str | None) -> tuple[str, Account | None]:
    """Return the name in its canonical form, and its account."""
    if username is not None:
        login = canonical_username(username)
        return login, account_rows.find_by_username(login)
    try:
        login = canonical_email(email or "")
    except ValueError:
        # Not an address: answer as for an unknown account.
        return email or "", None
    return login, account_rows.find_by_email(login)


def change_profile(*, account_id: uuid.UUID, changes: dict[str, Any], client: Client) -> Account:
    """Change name, username, or whether mails tell of limits; raises UsernameTaken."""
    with transaction.unit_of_work():
        account = hold_account(account_id)
        if "name" in changes:
            account.name = changes["name"]
        if "username" in changes:
            username = changes["username"]
            account.username = username
            account.username_canonical = canonical_username(username) if username else None
        if "limit_mails" in changes:
            account.limit_mails = changes["limit_mails"]
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
    """Delete the caller's account: sessions and keys die at once, and no personal data stays.

    The row remains without personal data, so that its keys and tokens are still recognised as
    revoked. Raises WrongPassword.
    """
    confirm_password(account_id=account_id, password=password, client=client)
    with transaction.unit_of_work():
        erasure.erase_account(hold_account(account_id), client)
