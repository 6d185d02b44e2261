"""Credits: a key's total of requests, of which what is left can be set while checks count.

The counters decide: one step there changes what is left, and each check takes its cost from it in
one step too. So after "100 are left" exactly 100 more get through, whatever was under way. All
checks compare with the same size; the row says how much was granted since the key was made, from
which a store that does not know the count begins: what is left is what was granted and not used.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from ragauth import transaction
from ragauth.counters import Shift
from ragauth.errors import Conflict, InvalidRequest, NoSuchKey
from ragauth.models import ApiKey
from ragauth.policy import DAY, MONTH, REQUESTS, TOTAL
from ragauth.policy.limits import LARGEST
from ragauth.services import audit
from ragauth.services.account_lock import hold_account
from ragauth.services.audit import Client, EventName
from ragauth.services.keys.api_keys import get_key
from ragauth.services.keys.coherence import require_room_for_limits
from ragauth.services.keys.own_counts import (
    counted_of,
    counted_together,
    forget_count,
    shift_count,
    used_in_all,
)
from ragauth.services.limits.marks import CREDITS

Limits = Sequence[dict[str, Any]] | None


def credits_limit(granted: int) -> dict[str, Any]:
    """The limit of a key that has so many credits when it is made."""
    return {"meter": REQUESTS, "window": TOTAL.name, "size": granted, CREDITS: True}


def find_credits(limits: Limits) -> dict[str, Any] | None:
    """Of a key's limits that of its credits, if it has credits."""
    return next((limit for limit in limits or () if limit.get(CREDITS)), None)


def set_remaining(
    *, account_id: uuid.UUID, key_id: uuid.UUID, remaining: int | None, client: Client
) -> int | None:
    """Let a live key have so many credits (up to 10^12), and no other allowance; None: no limit.

    Returns what is left. Raises NoSuchKey; Conflict if the limit was made or taken away meanwhile;
    ExternalServiceUnavailable, after which it is unknown whether it was set.
    """
    if remaining is None:
        replace_allowances(account_id=account_id, key_id=key_id, limit=None, client=client)
        return None
    key = _read(account_id, key_id)
    if find_credits(key.limits) is None:
        _begin(key, used_in_all(key) + remaining, client)
        return remaining
    shift = Shift(0, LARGEST - remaining, LARGEST - remaining)
    return _shift(key, shift, client, is_alone=True)


def add_credits(*, account_id: uuid.UUID, key_id: uuid.UUID, amount: int, client: Client) -> int:
    """Raise what is left by an amount, or lower it by a negative one: down to 0, up to 10^12.

    Another total becomes credits. Returns what is left. Raises as `set_remaining` does, and
    InvalidRequest for a key without a total.
    """
    key = _read(account_id, key_id)
    total = next((limit for limit in key.limits or () if _is_total(limit)), None)
    if total is not None and find_credits(key.limits) is None:
        _begin(key, total["size"], client)
        key = _read(account_id, key_id)
    return _shift(key, Shift(-amount, 0, LARGEST), client)


def replace_allowances(
    *, account_id: uuid.UUID, key_id: uuid.UUID, limit: dict[str, Any] | None, client: Client
) -> None:
    """Let a live key have this limit in the place of all its allowances, in one step.

    So do those with which it shares its counts: a predecessor in its grace is as limited as the key
    itself. Raises NoSuchKey; InvalidRequest for one limit too many; Conflict if the key was given
    credits meanwhile, and these are others.
    """
    with transaction.unit_of_work():
        hold_account(account_id, absent=NoSuchKey)
        key = get_key(account_id=account_id, key_id=key_id)
        if limit is not None and limit.get(CREDITS) and find_credits(key.limits) is not None:
            raise Conflict("The key was given credits meanwhile")
        for each in counted_together(key):
            others = [other for other in each.limits or () if not is_allowance(other)]
            each.limits = [*([] if limit is None else [limit]), *others] or None
        require_room_for_limits(key.limits)
        audit.record_key_event(EventName.KEY_CHANGED, key, client, fields=["credits"])


def is_allowance(limit: dict[str, Any]) -> bool:
    """Whether it limits a key's own requests in all, or of a day or a month, and has no name."""
    return is_place_of_allowance(limit["meter"], limit["window"], limit.get("name"))


def is_place_of_allowance(meter: str, window: str, name: str | None) -> bool:
    return meter == REQUESTS and name is None and window in (DAY.name, MONTH.name, TOTAL.name)


def _read(account_id: uuid.UUID, key_id: uuid.UUID) -> ApiKey:
    with transaction.read_only():
        return get_key(account_id=account_id, key_id=key_id)


def _begin(key: ApiKey, granted: int, client: Client) -> None:
    """Give a key without credits so many, of which it has used what it has used since it was made.

    What is used from here on is taken from them.
    """
    limit = credits_limit(granted)
    forget_count(key, limit)
    replace_allowances(account_id=_owner(key), key_id=key.id, limit=limit, client=client)


def _shift(key: ApiKey, shift: Shift, client: Client, *, is_alone: bool = False) -> int:
    """Change what is left; with `is_alone` every other allowance goes."""
    limit = find_credits(key.limits)
    if limit is None:
        raise InvalidRequest([{"path": [], "message": "The key has no credits to add to"}])
    before, after = shift_count(counted_of(key), limit, shift)
    account_id = _owner(key)
    with transaction.unit_of_work():
        hold_account(account_id, absent=NoSuchKey)
        key = get_key(account_id=account_id, key_id=key.id)
        for each in counted_together(key):
            limit = find_credits(each.limits)
            if limit is None:
                raise Conflict("The key's credits were taken away meanwhile")
            # By the difference: of several changes at once none undoes another's.
            granted = {**limit, "size": limit["size"] + before - after}
            others = [other for other in each.limits or () if other is not limit]
            if is_alone:
                others = [other for other in others if not is_allowance(other)]
            each.limits = [granted, *others]
        audit.record_key_event(EventName.KEY_CHANGED, key, client, fields=["credits"])
    return LARGEST - after


def _is_total(limit: dict[str, Any]) -> bool:
    return is_allowance(limit) and limit["window"] == TOTAL.name


def _owner(key: ApiKey) -> uuid.UUID:
    if key.account_id is None:
        raise NoSuchKey
    return key.account_id
