"""What operators do with keys of whatever owner: find them, kill them."""

import uuid

from ragauth import clock
from ragauth.errors import NotFound
from ragauth.extensions import db
from ragauth.models import Account, ApiKey
from ragauth.models import accounts as account_rows
from ragauth.models import api_keys as rows
from ragauth.security import key_format
from ragauth.security.identifiers import KEY, decode_id
from ragauth.services import api_keys, audit
from ragauth.services.audit import OPERATOR, EventName


def get_key(id_or_raw_key: str) -> ApiKey:
    """The key with this `key_` id, or of this raw form; raises NotFound."""
    try:
        key = db.session.get(ApiKey, decode_id(KEY, id_or_raw_key))
    except ValueError:
        key = rows.find_by_digest(key_format.digest_key(id_or_raw_key))
    if key is None:
        raise NotFound("there is no such key")
    return key


def owner_of(key: ApiKey) -> Account | None:
    """None for a key of a service, and of an account that was deleted."""
    return None if key.account_id is None else account_rows.find_account(key.account_id)


def revoke_key(*, key_id: uuid.UUID) -> ApiKey:
    """Kill a key for good, whoever's it is; raises NotFound when it is dead already."""
    key = db.session.get(ApiKey, key_id)
    if key is None or not rows.revoke_key(key_id, now=clock.now()):
        raise NotFound("the key is revoked already")
    audit.record_key_event(EventName.KEY_REVOKED, key, OPERATOR)
    return key


def revoke_keys(*, account_id: uuid.UUID) -> int:
    """Kill all keys of an account, its agents' too; returns how many were alive."""
    api_keys.hold_account(account_id)
    keys = rows.list_all_live(account_id)
    rows.revoke_keys_of_account(account_id, now=clock.now())
    for key in keys:
        audit.record_key_event(EventName.KEY_REVOKED, key, OPERATOR)
    return len(keys)
