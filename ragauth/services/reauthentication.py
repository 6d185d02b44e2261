"""Reauthentication: a session alone is not enough for what would take an account away."""

import uuid

from ragauth import transaction
from ragauth.errors import Conflict, CredentialRevoked, WrongPassword
from ragauth.models import Account
from ragauth.models import accounts as rows
from ragauth.services import passwords, throttles
from ragauth.services.passwords import StoredPassword


def require_password(*, account_id: uuid.UUID, password: str) -> Account:
    """The account whose password this is. Slow: call it before the transaction begins.

    Raises WrongPassword, RateLimitExceeded after too many of these, or CredentialRevoked for an
    account that has gone.
    """
    with transaction.read_only():
        account = rows.find_account(account_id)
    if account is None or account.password_hash is None or account.password_scheme is None:
        raise CredentialRevoked
    stored = StoredPassword(account.password_hash, account.password_scheme)
    with throttles.password_confirmations(account_id).failures():
        if not passwords.verify_password(password, stored):
            raise WrongPassword
    return account


def lock_unchanged(account: Account) -> Account:
    """Its row, held until the commit, if the password that was checked is still the one.

    Raises Conflict, or CredentialRevoked for an account that has gone.
    """
    current = rows.lock_account(account.id)
    if current is None:
        raise CredentialRevoked
    if current.password_hash != account.password_hash:
        raise Conflict
    return current
