"""Taking over keys from another system by their digests, so that customers keep their keys."""

from collections.abc import Iterable
from typing import Any

from ragauth import clock
from ragauth.errors import NotFound
from ragauth.extensions import db
from ragauth.models import ApiKey
from ragauth.models import api_keys as rows
from ragauth.models.api_keys import SECRET
from ragauth.security.identifiers import new_uuid
from ragauth.services import account_administration, api_keys, audit
from ragauth.services.audit import OPERATOR, EventName
from ragauth.services.plans import current_plans, plan_of


def import_key(*, digest: bytes, owner: str, name: str, prefix: str, **properties: Any) -> bool:
    """Add a key of which only the SHA-256 is known.

    False when the digest is known already, so a file may be imported twice. Raises NotFound for
    an owner who has no account, InvalidRequest for a test key where the plan has none.
    """
    account = account_administration.find(owner)
    if account is None:
        raise NotFound(f"there is no account {owner}")
    held = api_keys.hold_account(account.id)
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
    db.session.flush()
    audit.record_key_event(EventName.KEY_IMPORTED, key, OPERATOR)
    return True


def find_strangers(owners: Iterable[str]) -> set[str]:
    """Those owners that have no account."""
    return {owner for owner in set(owners) if account_administration.find(owner) is None}


def find_without_test_keys(owners: Iterable[str]) -> set[str]:
    """Those owners whose plan has no test keys."""
    accounts = {owner: account_administration.find(owner) for owner in set(owners)}
    plans = current_plans()
    return {
        owner for owner, found in accounts.items() if found and not plan_of(found.plan, plans).test
    }
