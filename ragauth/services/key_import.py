"""Taking over keys from another system by their digests, so that customers keep their keys."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ragauth import clock
from ragauth.errors import NotFound
from ragauth.extensions import db
from ragauth.models import Account, ApiKey
from ragauth.models import api_keys as rows
from ragauth.models.api_keys import SECRET
from ragauth.security.identifiers import new_uuid
from ragauth.services import account_administration, api_keys, audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.plans import current_plans, plan_of


def import_key(*, digest: bytes, owner: str, name: str, prefix: str, **properties: Any) -> bool:
    """Add a key of which only the SHA-256 is known.

    False when the digest is known already, so a file may be imported twice. Raises NotFound for
    an owner who has no account, InvalidRequest for a test key where the plan has none,
    UsageLimitExceeded where the owner's plan has no room.
    """
    account = account_administration.find(owner)
    if account is None:
        raise NotFound(f"there is no account {owner}")
    with api_keys.changing_keys(account.id) as held:
        if rows.find_by_digest(digest) is not None:
            return False
        api_keys.require_environment(held, properties["environment"])
        key = ApiKey(
            id=new_uuid(),
            account_id=account.id,
            digest=digest,
            prefix=prefix,
            kind=SECRET,
            name=name,
            is_enabled=True,
            is_primary=False,
            is_imported=True,
            created_at=clock.now(),
            **properties,
        )
        db.session.add(key)
    audit.record_key_event(EventName.KEY_IMPORTED, key, OPERATOR)
    return True


def find_faults(lines: Iterable[tuple[str, bytes, datetime | None]]) -> dict[str, str]:
    """The owners who cannot be given their keys, each with why.

    `lines` are owner, digest and `expires_at`. It only reads. What is tested here is tested again
    for each key: much may happen before that is imported.
    """
    now = clock.now()
    accounts: dict[str, Account | None] = {}
    new_digests: dict[uuid.UUID, set[bytes]] = defaultdict(set)
    for owner, digest, expires_at in lines:
        if owner not in accounts:
            accounts[owner] = account_administration.find(owner)
        account = accounts[owner]
        will_count = expires_at is None or expires_at > now
        if account is not None and will_count and rows.find_by_digest(digest) is None:
            new_digests[account.id].add(digest)
    faults = {}
    for owner, account in accounts.items():
        if account is None:
            faults[owner] = f"there is no account {owner}"
        elif (count := len(new_digests[account.id])) > (room := api_keys.room_of(account)):
            faults[owner] = f"the file has {count} new keys, the plan has room for {room}"
    return faults


def find_without_test_keys(owners: Iterable[str]) -> set[str]:
    """Those owners whose plan has no test keys."""
    accounts = {owner: account_administration.find(owner) for owner in set(owners)}
    plans = current_plans()
    return {
        owner for owner, found in accounts.items() if found and not plan_of(found.plan, plans).test
    }
