"""Revoking keys and recording the events, in the present transaction."""

import uuid
from collections.abc import Sequence
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
    """Revoke all keys of an account and of its agents; returns how many were alive."""
    return _record(key_rows.revoke_keys_of_account(account_id, now=clock.now()), client)


def revoke_own(account_id: uuid.UUID, client: Client) -> int:
    """Revoke all keys of an account and its agents but the managed ones, as `revoke_all` does."""
    return _record(key_rows.revoke_own_keys(account_id, now=clock.now()), client)


def revoke_of_agent(agent_id: uuid.UUID, client: Client) -> int:
    """Revoke all keys of an agent, as `revoke_all` does."""
    keys = key_rows.revoke_keys_of_agent(agent_id, now=clock.now())
    return _record(keys, client, by="agent")


def _record(keys: Sequence[ApiKey], client: Client, **details: Any) -> int:
    for key in keys:
        audit.record_key_event(EventName.KEY_REVOKED, key, client, **details)
    return len(keys)
