"""Unkey's words for what a key may use, and ours: pure functions.

A rate limit is a named limit of requests in a window with a length. Credits are an allowance.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ragauth.errors import InvalidRequest
from ragauth.policy import DAY, MONTH, REQUESTS, read_window
from ragauth.policy.limits import NAMED
from ragauth.services.keys.allowances import Allowance, Refill

_WINDOWS = {"daily": DAY.name, "monthly": MONTH.name}
_INTERVALS = {window: interval for interval, window in _WINDOWS.items()}


def read_credits(given: Mapping[str, Any] | None, now: Allowance | None = None) -> Allowance | None:
    """What a request asks for, None for no limit; what it leaves out stays as it is `now`.

    Raises InvalidRequest for a refill of what has no limit.
    """
    if given is None:
        return None
    remaining = given.get("remaining", now and now.remaining)
    refill = now and now.refill
    if "refill" in given:
        refill = _read_refill(given["refill"])
    elif remaining is None:
        # Where there is no limit any more, its refill has ended too.
        return None
    if remaining is not None:
        return Allowance(remaining, refill)
    if refill is not None:
        message = "Must be a number beside a refill"
        raise InvalidRequest([{"path": ["credits", "remaining"], "message": message}])
    return None


def show_credits(allowance: Allowance | None) -> dict[str, Any] | None:
    if allowance is None:
        return None
    refill = allowance.refill
    return {
        "remaining": allowance.remaining,
        "refill": refill and {"interval": _INTERVALS[refill.window], "amount": refill.amount},
    }


def limit_of(ratelimit: Mapping[str, Any]) -> dict[str, Any]:
    """A rate limit as a key has it."""
    return {
        "meter": REQUESTS,
        "window": read_window(f"{ratelimit['duration']}ms").name,
        "size": ratelimit["limit"],
        "name": ratelimit["name"],
        **({} if ratelimit["auto_apply"] else {"applies": NAMED}),
    }


def with_ratelimits(
    limits: Iterable[Mapping[str, Any]] | None, ratelimits: Iterable[Mapping[str, Any]] | None
) -> list[dict[str, Any]] | None:
    """A key's limits with others in the place of its rate limits; None for none."""
    kept = [dict(limit) for limit in limits or () if not is_ratelimit(limit)]
    return [*kept, *map(limit_of, ratelimits or ())] or None


def is_ratelimit(limit: Mapping[str, Any]) -> bool:
    """Whether Unkey's clients see it as a rate limit: it has a length and a name."""
    return bool(limit.get("name")) and read_window(limit["window"]).length_ms is not None


def _read_refill(given: Mapping[str, Any] | None) -> Refill | None:
    return None if given is None else Refill(_WINDOWS[given["interval"]], given["amount"])
