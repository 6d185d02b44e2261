"""What fits together in a key: its kind, environment, scopes, origins and end."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ragauth import clock
from ragauth.errors import InvalidRequest
from ragauth.extensions import current_policy
from ragauth.models import Account
from ragauth.models.api_keys import PUBLISHABLE
from ragauth.policy.limits import MOST_LIMITS
from ragauth.security import key_format
from ragauth.services.limits.marks import is_marked, keep_marks
from ragauth.services.limits.refusals import NO_TEST_KEYS

# A fault: its path in the request, and what is wrong there.
Issue = tuple[list[str], str]
Limits = list[dict[str, Any]] | None


def require_coherent(
    *,
    kind: str,
    environment: str,
    allowed_origins: list[str] | None,
    agent_id: uuid.UUID | None,
    new_expires_at: datetime | None,
    further: Iterable[Issue] = (),
) -> None:
    """A publishable key is public in a web page: one agent, listed origins, always live."""
    issues = [*further]
    if new_expires_at is not None and new_expires_at <= clock.now():
        issues.append((["expires_at"], "Must be in the future"))
    if kind == PUBLISHABLE:
        if agent_id is None:
            issues.append((["agent_id"], "Required for a publishable key"))
        if not allowed_origins:
            issues.append((["allowed_origins"], "Required for a publishable key"))
        if environment != key_format.LIVE:
            issues.append((["environment"], "A publishable key is always live"))
    elif allowed_origins is not None:
        issues.append((["allowed_origins"], "Only a publishable key has origins"))
    if issues:
        raise InvalidRequest([{"path": path, "message": message} for path, message in issues])


def environment_issues(account: Account, environment: str) -> list[Issue]:
    has_test_keys = current_policy().plan(account.plan).has_test_keys
    if environment != key_format.TEST or has_test_keys:
        return []
    return [(["environment"], NO_TEST_KEYS)]


def scopes_to_store(kind: str, scopes: list[str] | None) -> list[str] | None:
    """A publishable key always has a list: without one, the scopes that it may have today."""
    if kind == PUBLISHABLE and scopes is None:
        return [*current_policy().publishable_scopes]
    return scopes


def scope_issues(kind: str, scopes: list[str] | None, *, is_managed: bool) -> list[Issue]:
    """What is wrong with the scopes that a key is given; None is all that it may have.

    A schema has found them good for some key: a publishable one may have few of them, and only a
    managed one those that are free (`open_scopes`).
    """
    policy = current_policy()
    if kind != PUBLISHABLE:
        is_good = is_managed or set(scopes or ()) <= policy.scopes.keys()
        return [] if is_good else [(["scopes"], "Only a managed key may have undeclared scopes")]
    allowed = policy.publishable_scopes
    if allowed and set(scopes or allowed) <= set(allowed):
        return []
    if not allowed:
        return [(["kind"], "The policy has no scope for publishable keys")]
    return [(["scopes"], f"A publishable key may have only: {', '.join(allowed)}")]


def require_room_for_limits(limits: Limits) -> None:
    """Raise InvalidRequest for more limits than a key has at most."""
    if len(limits or ()) > MOST_LIMITS:
        message = f"The key has {MOST_LIMITS} limits already, with those that were set elsewhere"
        raise InvalidRequest([{"path": ["limits"], "message": message}])


def limits_as_told(held: Limits, limits: Limits, *, by_operator: bool) -> Limits:
    """A key's new limits; of those that it has, one told as it was keeps its mark.

    Without its mark one goes on as a usual limit. An owner may not take away what the operator lets
    the key use: raises InvalidRequest.
    """
    kept = keep_marks(held or (), limits or ())
    if not by_operator and sum(map(is_marked, kept)) < sum(map(is_marked, held or ())):
        message = "The operator decides how many requests this key has: leave that limit as it is"
        raise InvalidRequest([{"path": ["limits"], "message": message}])
    return kept or None
