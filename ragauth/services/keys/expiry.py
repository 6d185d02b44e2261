"""Tells of keys that have expired: an event for each, and so a webhook's message.

A check refuses an expired key by itself, whether or not it was told of. One process at a time
tells, and notes in the database how far it got; a clock that was stepped back tells nothing twice.
"""

import uuid
from datetime import timedelta

from ragauth import clock, transaction
from ragauth.models import expired_keys as key_rows
from ragauth.models import installation as installation_rows
from ragauth.services import audit
from ragauth.services.audit import Client, EventName

# Another process of this service, or of another host, has just looked.
_LOOK_EVERY = timedelta(seconds=8)
_BATCH = 100
_LAST_ID = uuid.UUID(int=(1 << 128) - 1)
_SERVICE = Client(ip=None, user_agent="expiry")


def tell_of_expired_keys() -> int:
    """Record the events of all keys that expired since the last look; returns how many."""
    told = 0
    with transaction.read_only():
        looked_at = installation_rows.get_installation().expired_until
    if looked_at is not None and clock.now() < looked_at + _LOOK_EVERY:
        return told
    while True:
        batch = _tell_batch()
        told += batch
        if batch < _BATCH:
            return told


def _tell_batch() -> int:
    with transaction.unit_of_work():
        installation = installation_rows.lock_installation()
        if installation is None:
            # Another process tells.
            return 0
        now, since = clock.now(), installation.expired_until
        if since is None:
            # The first look: what expired before this version is history.
            installation.expired_until = now
            return 0
        if now <= since:
            return 0
        after = installation.expired_key_id or _LAST_ID
        keys = key_rows.list_expired(since, after, until=now, limit=_BATCH)
        for key in keys:
            audit.record_key_event(EventName.KEY_EXPIRED, key, _SERVICE)
        is_full = len(keys) == _BATCH
        installation.expired_until = keys[-1].expires_at if is_full else now
        installation.expired_key_id = keys[-1].id if is_full else None
        return len(keys)
