"""Any customer's key with its account, for services of the operator's."""

import uuid

from ragauth import transaction
from ragauth.errors import NoSuchKey
from ragauth.models import owned_keys
from ragauth.models.base import Page
from ragauth.models.owned_keys import OwnedKey
from ragauth.services.keys import presented
from ragauth.services.limits.usage import bring_last_uses_up_to_date


def get_key(*, key_id: uuid.UUID) -> OwnedKey:
    """A key that is not revoked; raises NoSuchKey, for a service's own too."""
    bring_last_uses_up_to_date(_get_live(key_id).account.id)
    return _get_live(key_id)


def _get_live(key_id: uuid.UUID) -> OwnedKey:
    with transaction.read_only():
        found = owned_keys.find_by_id(key_id)
    if found is None or found.key.revoked_at is not None:
        raise NoSuchKey
    return found


def find_presented(presented_key: str) -> OwnedKey | None:
    """The key, dead or alive, that was presented to a service; it is not checked."""
    key_id = presented.find_presented_id(presented_key)
    if key_id is None:
        return None
    with transaction.read_only():
        return owned_keys.find_by_id(key_id)


def list_keys(
    *, keyspace_id: uuid.UUID, external_id: str | None, limit: int, cursor: uuid.UUID | None
) -> Page[OwnedKey]:
    """List a keyspace's keys, newest first; with `external_id` those of one customer."""
    with transaction.read_only():
        return owned_keys.list_of_keyspace(
            keyspace_id, external_id=external_id, limit=limit, cursor=cursor
        )
