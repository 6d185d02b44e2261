"""Keyspaces: an operator's collections of managed keys, whoever's they are."""

import uuid
from collections.abc import Collection
from itertools import islice

from ragauth import clock, transaction
from ragauth.errors import NoSuchKeyspace
from ragauth.extensions import current_policy, db
from ragauth.models import Keyspace
from ragauth.models import keyspaces as keyspace_rows
from ragauth.models.base import Page
from ragauth.policy import FIRST_PLAN
from ragauth.security.identifiers import new_uuid
from ragauth.services import audit
from ragauth.services.account_lock import lock_account
from ragauth.services.accounts import erasure
from ragauth.services.accounts.accounts import add_account
from ragauth.services.audit import Client, EventName
from ragauth.services.limits.account_limits import without_limits_of

# How many ids one query names.
_BATCH = 500


def create_keyspace(*, name: str, client: Client) -> Keyspace:
    """Make a keyspace with an account of its own, for the keys that belong to no customer.

    That account has no address and no limits: those that the operator sets on it and on its keys
    are the only ones.
    """
    with transaction.unit_of_work():
        account = add_account(
            email=None,
            stored=None,
            name=None,
            username=None,
            client=client,
            limits=without_limits_of(current_policy().plan(FIRST_PLAN)),
        )
        keyspace = Keyspace(id=new_uuid(), account_id=account.id, name=name, created_at=clock.now())
        db.session.add(keyspace)
        db.session.flush()
    return keyspace


def get_keyspace(*, keyspace_id: uuid.UUID) -> Keyspace:
    """Raises NoSuchKeyspace, for a deleted one too."""
    with transaction.read_only():
        return _get(keyspace_id)


def list_keyspaces(*, limit: int, cursor: uuid.UUID | None) -> Page[Keyspace]:
    with transaction.read_only():
        return keyspace_rows.list_keyspaces(limit=limit, cursor=cursor)


def find_of_keys(key_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The keyspaces of those of these keys, dead or alive, that have one, by the keys' ids."""
    found: dict[uuid.UUID, uuid.UUID] = {}
    rest = iter(key_ids)
    while batch := list(islice(rest, _BATCH)):
        with transaction.read_only():
            found |= keyspace_rows.find_of_keys(batch)
    return found


def delete_keyspace(*, keyspace_id: uuid.UUID, client: Client) -> int:
    """Delete a keyspace with its own account: all its keys are dead at once, in all accounts.

    Returns how many were alive. Raises NoSuchKeyspace.
    """
    with transaction.unit_of_work():
        # The account first, as where a key is made: the other order could deadlock.
        account = lock_account(_get(keyspace_id).account_id)
        keyspace = keyspace_rows.lock_keyspace(keyspace_id, to_delete=True)
        if keyspace is None:
            raise NoSuchKeyspace
        count = 0
        for key in keyspace_rows.revoke_keys(keyspace_id, now=clock.now()):
            audit.record_key_event(EventName.KEY_REVOKED, key, client, by="keyspace")
            count += 1
        if account is not None:
            erasure.erase_account(account, client)
        keyspace.deleted_at = clock.now()
    return count


def _get(keyspace_id: uuid.UUID) -> Keyspace:
    keyspace = keyspace_rows.find_keyspace(keyspace_id)
    if keyspace is None:
        raise NoSuchKeyspace
    return keyspace
