"""Keys of customers together with the accounts that they belong to, whichever these are."""

import uuid
from typing import NamedTuple

from sqlalchemy import Select, select

from ragauth.extensions import db
from ragauth.models.accounts import Account
from ragauth.models.api_keys import ApiKey
from ragauth.models.base import Page


class OwnedKey(NamedTuple):
    """A key, dead or alive, and its account."""

    key: ApiKey
    account: Account


def find_by_id(key_id: uuid.UUID) -> OwnedKey | None:
    return _find(_all().where(ApiKey.id == key_id))


def list_of_keyspace(
    keyspace_id: uuid.UUID, *, external_id: str | None, limit: int, cursor: uuid.UUID | None
) -> Page[OwnedKey]:
    """The keyspace's keys that are not revoked, newest first; with `external_id` one customer's."""
    query = _all().where(ApiKey.keyspace_id == keyspace_id, ApiKey.revoked_at.is_(None))
    if external_id is not None:
        query = query.where(Account.external_id == external_id)
    if cursor is not None:
        query = query.where(ApiKey.id < cursor)
    rows = db.session.execute(query.order_by(ApiKey.id.desc()).limit(limit + 1))
    found = [OwnedKey(key, account) for key, account in rows]
    return Page(found[:limit], found[limit - 1].key.id if len(found) > limit else None)


def _all() -> Select[ApiKey, Account]:
    """A service's own keys have no account, so they are none of these."""
    return select(ApiKey, Account).join(Account, Account.id == ApiKey.account_id)


def _find(query: Select[ApiKey, Account]) -> OwnedKey | None:
    row = db.session.execute(query).one_or_none()
    return None if row is None else OwnedKey(row[0], row[1])
