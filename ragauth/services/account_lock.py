"""The lock of an account: changes of it, its keys, agents, sessions and factors follow one another.

See docs/adr/0007-one-lock-for-an-accounts-keys.md.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ragauth.errors import (
    AccountSuspended,
    Conflict,
    CredentialInvalid,
    CredentialRevoked,
    RagauthError,
)
from ragauth.models import Account
from ragauth.models import accounts as account_rows
from ragauth.models import sessions as session_rows
from ragauth.models.accounts import SUSPENDED

_acting_session: ContextVar[uuid.UUID | None] = ContextVar("acting_session", default=None)


@contextmanager
def acting_in(session_id: uuid.UUID | None) -> Iterator[None]:
    """Within the block, locks are taken for the holder of this session."""
    token = _acting_session.set(session_id)
    try:
        yield
    finally:
        _acting_session.reset(token)


def lock_account(account_id: uuid.UUID) -> Account | None:
    """Lock the account until the commit; None for a deleted one.

    Raises AccountSuspended, and CredentialRevoked if the caller's session has ended after the guard
    checked it: a new password or a clean start, which ended it, has held this lock before, and the
    caller must not act after it.
    """
    account = account_rows.lock_account(account_id)
    session_id = _acting_session.get()
    if account is not None and session_id is not None:
        if session_rows.has_ended(session_id):
            raise CredentialRevoked("The session has ended")
        if account.status == SUSPENDED:
            raise AccountSuspended
    return account


def hold_account(
    account_id: uuid.UUID,
    *,
    absent: type[RagauthError] = CredentialRevoked,
    password_hash: str | None = None,
) -> Account:
    """Lock the account until the commit, as `lock_account` does.

    Raises `absent` for a deleted account; Conflict if its password hash is no longer the given one,
    which was confirmed before the lock.
    """
    account = lock_account(account_id)
    if account is None:
        raise absent
    if password_hash is not None and account.password_hash != password_hash:
        raise Conflict
    return account


def hold_account_of_token(account_id: uuid.UUID) -> Account:
    """Lock the account of a mailed token or of a login's first step, until the commit.

    Raises CredentialInvalid for a deleted one, AccountSuspended.
    """
    account = lock_account(account_id)
    if account is None:
        raise CredentialInvalid("The token is not valid")
    if account.status == SUSPENDED:
        raise AccountSuspended
    return account
