"""Unkey's words for what a key may do, as the terms of a key here: pure functions.

A rate limit is a named limit of requests in a window with a length. Credits are a total of
requests; with a refill they are the requests of a day or a month.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ragauth.errors import InvalidRequest
from ragauth.policy import DAY, MONTH, REQUESTS, read_window
from ragauth.policy.limits import NAMED
from ragauth.services.keys.credits import credits_limit

_WINDOWS = {"daily": DAY.name, "monthly": MONTH.name}
INTERVALS = {window: interval for interval, window in _WINDOWS.items()}


class Credits(NamedTuple):
    """How many requests are left; with a refill so many again each `interval`."""

    remaining: int
    interval: str | None = None
    amount: int = 0


def credits_asked(given: Mapping[str, Any] | None, now: Credits | None = None) -> Credits | None:
    """The credits that a request asks for, None for no limit; what it leaves out stays.

    Raises InvalidRequest for those that cannot be had here.
    """
    if given is None:
        return None
    remaining = given.get("remaining", now and now.remaining)
    if "refill" in given:
        refill = given["refill"]
    else:
        refill = {"interval": now.interval, "amount": now.amount} if now and now.interval else None
    if "remaining" in given and remaining is None and given.get("refill") is None:
        return None
    if remaining is None:
        raise _fault("remaining", "Must be a number beside a refill")
    if refill is None:
        return Credits(remaining)
    interval, amount = refill["interval"], refill["amount"]
    if refill.get("refill_day", 1) != 1 or (interval == "daily" and "refill_day" in refill):
        raise _fault("refill.refillDay", "A refill is at the beginning of a day or a month, in UTC")
    if remaining > amount:
        raise _fault("remaining", "Beside a refill it is at most the refill's amount")
    return Credits(remaining, interval, amount)


def limits_of(
    credits: Credits | None, ratelimits: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]] | None:
    """A new key's limits; None for none."""
    return [*_limit_of_credits(credits), *map(_limit_of_rate, ratelimits)] or None


def _limit_of_credits(credits: Credits | None) -> list[dict[str, Any]]:
    if credits is None:
        return []
    if credits.interval is None:
        return [credits_limit(credits.remaining)]
    return [refill_limit(credits)]


def refill_limit(credits: Credits) -> dict[str, Any]:
    window = _WINDOWS[credits.interval or ""]
    return {"meter": REQUESTS, "window": window, "size": credits.amount}


def _limit_of_rate(ratelimit: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "meter": REQUESTS,
        "window": read_window(f"{ratelimit['duration']}ms").name,
        "size": ratelimit["limit"],
        "name": ratelimit["name"],
        **({} if ratelimit["auto_apply"] else {"applies": NAMED}),
    }


def _fault(field: str, message: str) -> InvalidRequest:
    return InvalidRequest([{"path": ["credits", *field.split(".")], "message": message}])
