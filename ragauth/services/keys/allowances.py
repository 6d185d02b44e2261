"""Allowances: what a key may still use of requests, in all or until a day or a month is over.

In all they are credits. With a refill they are the key's own limit of requests a day or a month, of
which the rest can be set for the period that runs, to more than the limit's size too. The counters
alone keep that: if they are lost, the period goes on from what is known to have been used.
"""

from typing import Any, NamedTuple

from ragauth.counters import Shift
from ragauth.models import ApiKey
from ragauth.models.owned_keys import OwnedKey
from ragauth.policy import DAY, MONTH, REQUESTS
from ragauth.policy.limits import LARGEST
from ragauth.services.audit import Client
from ragauth.services.keys import credits
from ragauth.services.keys.own_counts import Counted, counted_of, owners_of, shift_count
from ragauth.services.limits.account_limits import text_of
from ragauth.services.limits.applied import OF_KEY
from ragauth.services.limits.limits import current_limits
from ragauth.services.limits.marks import REFILL
from ragauth.services.limits.state import LimitState

_PERIODS = (DAY.name, MONTH.name)


class Refill(NamedTuple):
    """So many requests at the beginning of each `window`: a day or a month, in UTC."""

    window: str
    amount: int


class Allowance(NamedTuple):
    """What is left; with a refill until it comes."""

    remaining: int
    refill: Refill | None = None


def limits_of(allowance: Allowance | None) -> list[dict[str, Any]]:
    """The limits of a new key with this allowance; `begin` comes before it is made."""
    if allowance is None:
        return []
    if allowance.refill is None:
        return [credits.credits_limit(allowance.remaining)]
    return [_limit_of(allowance.refill)]


def begin(counted: Counted, allowance: Allowance | None) -> None:
    """Let the period in which a key with a refill is made have what is left of it.

    Before the key is made, so that there is none whose first period has another rest. Outside of a
    transaction. Raises ExternalServiceUnavailable.
    """
    refill = None if allowance is None else allowance.refill
    if allowance is not None and refill is not None and allowance.remaining != refill.amount:
        _set_rest(counted, refill, allowance.remaining)


def allowance_of(owned: OwnedKey) -> Allowance | None:
    """What is left of a key's allowance; None without one. Raises ExternalServiceUnavailable."""
    key, account = owned
    if not any(credits.is_allowance(limit) for limit in key.limits or ()):
        return None
    limits = (text_of(account.limits), text_of(key.limits))
    state = current_limits().peek_at_all(owners_of(key), key.environment, account.plan, *limits)
    return allowance_in(state)


def allowance_in(state: LimitState) -> Allowance | None:
    """What a check, or a look, found of a key's allowance."""
    left, refill = [], None
    for one, count in zip(state.told, state.counts, strict=True):
        limit = one.limit
        if one.of != OF_KEY or not credits.is_place_of_allowance(
            limit.meter, limit.window.name, limit.name
        ):
            continue
        left.append(max(0, limit.size - (count.used - one.ahead)))
        if limit.window.name in _PERIODS:
            refill = Refill(limit.window.name, limit.size)
    return Allowance(min(left), refill) if left else None


def set_allowance(*, owned: OwnedKey, allowance: Allowance | None, client: Client) -> None:
    """Let a live key use so much from now on; None takes the limit away.

    One limit takes the place of another in one step. Raises as `credits.set_remaining` does.
    """
    key, account_id = owned.key, owned.account.id
    held = [limit for limit in _all(key) if credits.is_allowance(limit)]
    if allowance is not None and allowance.refill is not None:
        # Before the limit holds, so that no check finds an earlier rest.
        _set_rest(counted_of(key), allowance.refill, allowance.remaining)
        limit = _limit_of(allowance.refill)
        if held != [limit]:
            credits.replace_allowances(
                account_id=account_id, key_id=key.id, limit=limit, client=client
            )
    elif allowance is not None or held:
        remaining = None if allowance is None else allowance.remaining
        credits.set_remaining(
            account_id=account_id, key_id=key.id, remaining=remaining, client=client
        )


def add(*, owned: OwnedKey, amount: int, client: Client) -> None:
    """Raise what is left by an amount, or lower it by a negative one: down to 0, up to 10^12.

    Raises as `credits.add_credits` does.
    """
    key, refill, now = owned.key, find_refill(owned.key), allowance_of(owned)
    if refill is None or now is None:
        credits.add_credits(
            account_id=owned.account.id, key_id=key.id, amount=amount, client=client
        )
        return
    if _limit_of(refill) not in _all(key):
        # A limit that was set elsewhere counts otherwise, until its rest is set.
        set_allowance(owned=owned, allowance=now, client=client)
    shift_count(counted_of(key), _limit_of(refill), Shift(-amount, 0, LARGEST))


def left_of_refill(key: ApiKey) -> int | None:
    """What is left until the next refill; None where nothing but the key's usage decides it.

    Outside of a transaction. Raises ExternalServiceUnavailable.
    """
    refill = find_refill(key)
    if refill is None or _limit_of(refill) not in _all(key):
        return None
    return LARGEST - shift_count(counted_of(key), _limit_of(refill), Shift(0, 0, LARGEST))[1]


def set_left_of_refill(key: ApiKey, remaining: int) -> None:
    """Let a key with a refill have so much until the next one; raises as `left_of_refill` does."""
    refill = find_refill(key)
    if refill is not None:
        _set_rest(counted_of(key), refill, remaining)


def find_refill(key: ApiKey) -> Refill | None:
    """The key's own limit of requests a day or a month, if it has one without a name."""
    return next(
        (Refill(limit["window"], limit["size"]) for limit in _all(key) if _is_refill(limit)), None
    )


def _all(key: ApiKey) -> list[dict[str, Any]]:
    return key.limits or []


def _is_refill(limit: dict[str, Any]) -> bool:
    return credits.is_allowance(limit) and limit["window"] in _PERIODS


def _limit_of(refill: Refill) -> dict[str, Any]:
    return {"meter": REQUESTS, "window": refill.window, "size": refill.amount, REFILL: True}


def _set_rest(counted: Counted, refill: Refill, remaining: int) -> None:
    count = LARGEST - remaining
    shift_count(counted, _limit_of(refill), Shift(0, count, count))
