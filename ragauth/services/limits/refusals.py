"""Refusals by a limit: which of several is told, and in which words."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from ragauth import clock
from ragauth.errors import RagauthError, RateLimitExceeded, UsageLimitExceeded
from ragauth.metrics import LIMIT_HITS
from ragauth.policy import MINUTE, MONTH, REQUESTS, TOTAL, Limit
from ragauth.services.limits.applied import OF_ACCOUNT

NO_TEST_KEYS = "The plan has no test keys"

_OWNERS = {"account": "the account's limit", "key": "this key's own limit"}
# Meters are declared at run time, so that only the account's two old limits have a series of their
# own in the metrics.
_SERIES = {MINUTE.name: "requests_per_minute", MONTH.name: "requests_per_month"}


class Standing(NamedTuple):
    """A limit, what it has counted, and what the question would take of it.

    `resets_at_ms` (Unix milliseconds) is when its window is over; of no meaning for a total.
    """

    limit: Limit
    of: str
    used: int
    amount: int
    resets_at_ms: int

    @property
    def refuses(self) -> bool:
        return self.used + self.amount > self.limit.size

    @property
    def opens(self) -> bool:
        """Whether it will allow the same, if one waits."""
        return self.amount <= self.limit.size and not self.is_total

    @property
    def is_total(self) -> bool:
        return self.limit.window == TOTAL

    @property
    def _rank(self) -> tuple[bool, bool, int, bool]:
        """The greatest is told: a total, what never opens, what opens last, the account's."""
        opens_at = self.resets_at_ms if self.opens else 0
        return (self.is_total, not self.opens, opens_at, self.of == OF_ACCOUNT)


def refusal_of(standings: Iterable[Standing], now_ms: int) -> RagauthError:
    """The refusal by those of these limits that refuse; at least one of them does."""
    # Of equal ones the first.
    told = max((one for one in standings if one.refuses), key=lambda one: one._rank)
    limit, of = told.limit, told.of
    LIMIT_HITS.count(_series_of(limit, of))
    details = _details(limit, of)
    wait_seconds = None
    if told.opens:
        wait_seconds = max(1, seconds_up(told.resets_at_ms - now_ms))
        details["resets_at"] = clock.format_time(end_of(told.resets_at_ms))
    message = _words(told)
    if limit.window.is_rate:
        return RateLimitExceeded(wait_seconds, message, details=details)
    headers = {} if wait_seconds is None else {"Retry-After": str(wait_seconds)}
    return UsageLimitExceeded(message, details=details, headers=headers)


def refusal_of_test_keys() -> UsageLimitExceeded:
    """The refusal for a plan without test keys.

    It names no time to wait: waiting would not help.
    """
    LIMIT_HITS.count("requests_per_month")
    nothing = Limit(REQUESTS, MONTH, 0)
    return UsageLimitExceeded(NO_TEST_KEYS, details=_details(nothing, OF_ACCOUNT))


def _details(limit: Limit, of: str) -> dict[str, Any]:
    return {
        "limit": limit.full_name,
        "meter": limit.meter,
        "window": limit.window.name,
        "of": of,
        "size": limit.size,
    }


def seconds_up(milliseconds: int) -> int:
    """Milliseconds in whole seconds, rounded up so that the wait is long enough."""
    return -(-milliseconds // 1000) if milliseconds > 0 else 0


def end_of(milliseconds: int) -> datetime:
    """The end of a window, rounded up to the second that is told, so that it is over then."""
    return clock.from_ms(-(-milliseconds // 1000) * 1000)


def describe(limit: Limit, of: str) -> str:
    """A limit in words: "this key's own limit of 10 requests a minute"."""
    name = "" if limit.name is None else f' "{limit.name}"'
    return f"{_OWNERS[of]}{name} of {limit.in_words}"


def _words(told: Standing) -> str:
    described = describe(told.limit, told.of)
    left = max(0, told.limit.size - told.used)
    if left == 0 and told.amount <= max(1, told.limit.size):
        return f"{described[0].upper()}{described[1:]} is used up"
    return f"This takes {told.amount:,} {told.limit.meter}: {described} has {left:,} left"


def _series_of(limit: Limit, of: str) -> str:
    if of == OF_ACCOUNT and limit.meter == REQUESTS and limit.window.name in _SERIES:
        return _SERIES[limit.window.name]
    return f"{of}_limit"
