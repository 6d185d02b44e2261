"""What the holder of a key may do: ask whose it is and what is left of the plan, revoke it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ragauth import transaction
from ragauth.errors import CredentialRevoked
from ragauth.extensions import current, db
from ragauth.models import ApiKey
from ragauth.models.api_keys import PUBLISHABLE
from ragauth.models.reads.holders import HolderLookup
from ragauth.services.audit import Client
from ragauth.services.keys import revocation
from ragauth.services.keys.presented import find_presented_id
from ragauth.services.limits.account_limits import (
    MonthUsage,
    Quota,
    month_usage,
    quotas_of,
    text_of,
)
from ragauth.services.limits.applied import AppliedLimits
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.takings import Owners
from ragauth.services.limits.usage import find_unsaved_use


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A key, and the account that it belongs to: plain rows, to be shown.

    The account is None for a service's own key. A publishable key, which every visitor of a page
    holds, tells neither the account nor its owner's metadata.
    """

    key: Any
    account: Any
    limits: AppliedLimits | None
    usage: MonthUsage | None
    quotas: Sequence[Quota] | None


def get_holder(*, key_id: uuid.UUID) -> KeyHolder:
    """Raises CredentialRevoked when the key was revoked during the request."""
    lookup: HolderLookup = current().holder_lookup
    facts = lookup.find_holder(key_id)
    if facts is None:
        raise CredentialRevoked
    key, account = facts
    if key.account_id is None:
        return KeyHolder(key, None, None, None, None)
    if account is None:
        raise CredentialRevoked
    used_at = find_unsaved_use(account_id=account.id, environment=key.environment, key_id=key_id)
    if used_at is not None and (key.last_used_at is None or key.last_used_at < used_at):
        key = key._replace(last_used_at=used_at)
    state = current_limits().peek_at_all(
        Owners(account.id.bytes, (key.counted_as or key.id).bytes),
        key.environment,
        account.plan,
        text_of(account.limits),
        text_of(key.limits),
    )
    quotas = quotas_of(state, key.environment)
    if key.kind == PUBLISHABLE:
        key, account = key._replace(own_data=None), None
    return KeyHolder(key, account, state.applied, month_usage(state), quotas)


def revoke_presented_key(*, presented_key: str, client: Client) -> None:
    """Revoke a key for its holder; an unknown key gets the same answer.

    A publishable key is left as it is: it is public in a web page, so every visitor holds it.
    """
    # Text that is no key must not wait for, or hold, the database's write lock.
    key_id = find_presented_id(presented_key)
    if key_id is None:
        return
    with transaction.unit_of_work():
        key = db.session.get(ApiKey, key_id)
        if key is not None and key.kind != PUBLISHABLE:
            revocation.revoke(key, client, by="holder")
