"""Scopes of a key, one by one: given to it and taken from it while others do the same."""

import uuid
from collections.abc import Callable, Collection

from ragauth import transaction
from ragauth.errors import InvalidRequest, NoSuchKey
from ragauth.extensions import current_policy
from ragauth.models import ApiKey
from ragauth.policy import MOST_SCOPES
from ragauth.services import audit
from ragauth.services.account_lock import hold_account
from ragauth.services.audit import Client, EventName
from ragauth.services.keys.api_keys import get_changeable_key
from ragauth.services.keys.coherence import scope_issues


def held_scopes(key: ApiKey) -> list[str]:
    """Those in the key's list; without a list it has the usual ones."""
    return [*current_policy().usual_scopes] if key.scopes is None else key.scopes


def add_scopes(
    *, account_id: uuid.UUID, key_id: uuid.UUID, scopes: Collection[str], client: Client
) -> ApiKey:
    """Give a live key further scopes; what it has already stays as it is.

    Raises NoSuchKey; InvalidRequest for more than a hundred in all, and for those that a key of its
    kind may not have.
    """
    return _change(account_id, key_id, lambda held: [*dict.fromkeys([*held, *scopes])], client)


def remove_scopes(
    *, account_id: uuid.UUID, key_id: uuid.UUID, scopes: Collection[str], client: Client
) -> ApiKey:
    """Take scopes from a live key, as far as it has them; raises NoSuchKey."""

    def without(held: list[str]) -> list[str]:
        return [name for name in held if name not in scopes]

    return _change(account_id, key_id, without, client)


def set_scopes(
    *, account_id: uuid.UUID, key_id: uuid.UUID, scopes: Collection[str], client: Client
) -> ApiKey:
    """Give a live key these scopes and no others; raises as `add_scopes` does."""
    return _change(account_id, key_id, lambda _held: [*scopes], client)


def _change(
    account_id: uuid.UUID,
    key_id: uuid.UUID,
    change: Callable[[list[str]], list[str]],
    client: Client,
) -> ApiKey:
    with transaction.unit_of_work():
        hold_account(account_id, absent=NoSuchKey)
        key = get_changeable_key(account_id=account_id, key_id=key_id, by_operator=True)
        held = held_scopes(key)
        changed = change(held)
        if changed != held:
            issues = scope_issues(key.kind, changed, is_managed=key.is_managed)
            if len(changed) > MOST_SCOPES:
                issues.append((["scopes"], f"A key has at most {MOST_SCOPES} scopes"))
            if issues:
                raise InvalidRequest([{"path": path, "message": why} for path, why in issues])
            key.scopes = changed
            audit.record_key_event(EventName.KEY_CHANGED, key, client, fields=["scopes"])
        return key
