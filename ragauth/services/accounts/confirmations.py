"""Confirmations: single-use tokens for a mail's link or for the second step of a login.

Only the SHA-256 of a token is kept. A use is a compare-and-swap on `used_at`: of simultaneous uses,
one succeeds.
"""

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from ragauth import clock, transaction
from ragauth.errors import ConfirmationReused, CredentialExpired, CredentialInvalid
from ragauth.models import Confirmation
from ragauth.models import confirmations as confirmation_rows
from ragauth.models.base import insert_object
from ragauth.security.identifiers import new_uuid

_RANDOM_BYTES = 32


class Purpose(StrEnum):
    VERIFY_EMAIL = "verify_email"
    CHANGE_EMAIL = "change_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a secret
    SECOND_FACTOR = "second_factor"


def issue_token(
    *, account_id: uuid.UUID, purpose: Purpose, lifetime: timedelta, email: str | None = None
) -> str:
    """Issue a token in the present transaction; returns the raw token, which is stored nowhere."""
    token = secrets.token_urlsafe(_RANDOM_BYTES)
    now = clock.now()
    insert_object(
        Confirmation(
            id=new_uuid(),
            account_id=account_id,
            purpose=purpose.value,
            digest=_digest(token),
            email=email,
            created_at=now,
            expires_at=now + lifetime,
            used_at=None,
        )
    )
    return token


def find_token(token: str, *, purposes: frozenset[Purpose]) -> Confirmation:
    """Find the confirmation of a token that can be used now, without using it (see `use_token`).

    In the present transaction. Raises CredentialInvalid for an unknown token or one for another
    purpose, ConfirmationReused for a used one, CredentialExpired.
    """
    row = confirmation_rows.find_by_digest(_digest(token))
    if row is None or row.purpose not in purposes:
        raise CredentialInvalid("The token is not valid")
    if row.used_at is not None:
        raise ConfirmationReused
    if clock.is_ahead(row.created_at):
        raise CredentialInvalid("The token was issued in the future")
    if row.expires_at <= clock.now():
        raise CredentialExpired(row.expires_at, "The token has expired")
    return row


def use_token(token: str, *, purposes: frozenset[Purpose]) -> Confirmation:
    """Use a token up, in the present transaction; raises as `find_token` does."""
    row = find_token(token, purposes=purposes)
    if not confirmation_rows.mark_used(row.id, now=clock.now()):
        raise ConfirmationReused
    return row


def withdraw_tokens(*, account_id: uuid.UUID, purposes: frozenset[Purpose]) -> None:
    """Delete the account's unused tokens for these purposes, so that none is valid any more.

    In the present transaction.
    """
    confirmation_rows.delete_unused(account_id, purposes=[purpose.value for purpose in purposes])


def forget_account(*, account_id: uuid.UUID) -> None:
    """Delete a deleted account's tokens with the addresses in them, in the present transaction."""
    confirmation_rows.forget_account(account_id)


def delete_expired_tokens(*, before: datetime, limit: int) -> int:
    """Forget tokens that expired before a moment; returns how many."""
    with transaction.unit_of_work():
        return confirmation_rows.delete_expired(before=before, limit=limit)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
