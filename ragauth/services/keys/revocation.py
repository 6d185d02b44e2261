"""Revoking keys and recording the events, in the present transaction."""

import uuid
from collections.abc import Iterable
from typing import Any

from ragauth import clock
from ragauth.models import ApiKey
from ragauth.models import api_keys as key_rows
from ragauth.services import audit
from ragauth.services.audit import Client, EventName


def revoke(key: ApiKey, client: Client, **details: Any) -> bool:
    """Revoke one key; returns False and records no event if it was revoked already."""
    if not key_rows.revoke_key(key.id, now=clock.now()):
        return False
    audit.record_key_event(EventName.KEY_REVOKED, key, client, **details)
    return True


def revoke_all(account_id: uuid.UUID, client: Client) -> int:
    """Revoke all keys of an account and of its agents; returns how many were alive.

    The caller holds the account's lock.
    """
    _record(key_rows.list_all_live(account_id), client)
    return key_rows.revoke_keys_of_account(account_id, now=clock.now())


def revoke_own(account_id: uuid.UUID, client: Client) -> int:
    """Revoke all keys of an account and of its agents but the managed ones, as `revoke_all` does.

    The caller holds the account's lock.
    """
    _record(key_rows.list_own_live(account_id), client)
    return key_rows.revoke_own_keys(account_id, now=clock.now())


def _record(keys: Iterable[ApiKey], client: Client) -> None:
    for key in keys:
        audit.record_key_event(EventName.KEY_REVOKED, key, client)
