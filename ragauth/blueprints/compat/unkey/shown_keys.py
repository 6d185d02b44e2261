"""A key as Unkey's clients see it: with rate limits, credits, and an identity for its account."""

from typing import Any

from ragauth.blueprints.compat.unkey.key_schemas import ratelimit_id
from ragauth.extensions import current_policy
from ragauth.models import Account, ApiKey
from ragauth.models.owned_keys import OwnedKey
from ragauth.policy.limits import ALWAYS
from ragauth.services.limits.applied import OF_KEY, read_key_limit
from ragauth.services.limits.limits import LimitState


def describe(owned: OwnedKey) -> dict[str, Any]:
    """What a verdict and a key's own answer tell of it; None is left out of both."""
    key = owned.key
    return {
        "key_id": key.id,
        "name": key.name or None,
        "meta": key.own_data,
        "expires": key.expires_at,
        "enabled": key.is_enabled,
        "permissions": permissions_of(key),
        "identity": _identity_of(owned.account),
    }


def permissions_of(key: ApiKey) -> list[str]:
    """A key of an owner's without a list has the usual scopes."""
    return [*current_policy().usual_scopes] if key.scopes is None else key.scopes


def ratelimits_of(key: ApiKey) -> list[dict[str, Any]] | None:
    """The key's limits with a length and a name; None for none."""
    limits = map(read_key_limit, key.limits or ())
    return [
        {
            "id": ratelimit_id(key.id, limit.name),
            "name": limit.name,
            "limit": limit.size,
            "duration": limit.window.length_ms,
            "auto_apply": limit.applies == ALWAYS,
        }
        for limit in limits
        if limit.name is not None and limit.window.length_ms is not None
    ] or None


def credits_left(state: LimitState | None) -> int | None:
    """What is left of the key's credits; None without any, and where nothing was counted."""
    if state is None:
        return None
    left = [
        max(0, one.limit.size - count.used)
        for one, count in zip(state.told, state.counts, strict=True)
        if one.of == OF_KEY and one.limit.window.length_ms is None
    ]
    return min(left, default=None)


def _identity_of(account: Account) -> Account | None:
    """An account without an external id is nobody's whom the operator knows."""
    return None if account.external_id is None else account
