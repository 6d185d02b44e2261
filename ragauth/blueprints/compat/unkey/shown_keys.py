"""A key as Unkey's clients see it: with rate limits, credits, and an identity for its account."""

from typing import Any

from ragauth.blueprints.compat.unkey.key_schemas import ratelimit_id
from ragauth.blueprints.compat.unkey.key_terms import is_ratelimit, show_credits
from ragauth.models import ApiKey
from ragauth.models.owned_keys import OwnedKey
from ragauth.policy.limits import ALWAYS
from ragauth.services.keys import allowances
from ragauth.services.keys.key_scopes import held_scopes
from ragauth.services.limits.applied import read_key_limit


def show(owned: OwnedKey) -> dict[str, Any]:
    """What a key's own answer tells; asks the counters if the key has an allowance."""
    key = owned.key
    return {
        **describe(owned),
        "start": key.prefix,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "credits": show_credits(allowances.allowance_of(owned)),
        "ratelimits": ratelimits_of(key),
    }


def describe(owned: OwnedKey) -> dict[str, Any]:
    """What both a verdict and a key's own answer tell; None is left out of them."""
    key, account = owned
    return {
        "key_id": key.id,
        "name": key.name or None,
        "meta": key.own_data,
        "expires": key.expires_at,
        "enabled": key.is_enabled,
        "permissions": held_scopes(key),
        # An account without an external id is of nobody whom the operator knows.
        "identity": None if account.external_id is None else account,
    }


def ratelimits_of(key: ApiKey) -> list[dict[str, Any]] | None:
    """None for none."""
    limits = [read_key_limit(limit) for limit in key.limits or () if is_ratelimit(limit)]
    return [
        {
            "id": ratelimit_id(key.id, limit.name or ""),
            "name": limit.name,
            "limit": limit.size,
            "duration": limit.window.length_ms,
            "auto_apply": limit.applies == ALWAYS,
        }
        for limit in limits
    ] or None
