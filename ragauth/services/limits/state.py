"""Where the limits of a key stand after a request that asked."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ragauth import clock
from ragauth.counters import Count, Tally
from ragauth.policy import MINUTE, MONTH, REQUESTS, Limit
from ragauth.services.limits.applied import OF_ACCOUNT, AppliedLimit, AppliedLimits
from ragauth.services.limits.refusals import Standing
from ragauth.services.limits.spans import Span


class LimitState(NamedTuple):
    """What applies to a key, and how much of it is used, after the request that asked. In seconds.

    `told` are the limits beside the account's requests a minute and a month; `counts` has one Count
    for each of them. `reservation_id` is that of the reservation that the request made.
    """

    applied: AppliedLimits
    minute_used: int
    minute_resets_in: int
    month_used: int
    month_resets_in: int
    span: Span
    now_ms: int
    told: tuple[AppliedLimit, ...] = ()
    counts: tuple[Count, ...] = ()
    reservation_id: str | None = None

    @property
    def month_resets_at(self) -> datetime:
        return clock.from_ms(self.span.month_ends_ms)

    @property
    def minute_remaining(self) -> int | None:
        """None without such a limit."""
        return _remaining(self.applied.requests_per_minute, self.minute_used)

    @property
    def month_remaining(self) -> int | None:
        """None without such a limit."""
        return _remaining(self.applied.requests_per_month, self.month_used)


def _remaining(size: int | None, used: int) -> int | None:
    return None if size is None else max(0, size - used)


def standings(
    state: LimitState, minute_ends_ms: int, tallies: tuple[Tally, ...], cost: int
) -> Iterator[Standing]:
    """Each limit as a refused request found it."""
    for window, size, used, amount, ends_ms in (
        (MINUTE, state.applied.requests_per_minute, state.minute_used, 1, minute_ends_ms),
        (
            MONTH,
            state.applied.requests_per_month,
            state.month_used,
            cost,
            state.span.month_ends_ms,
        ),
    ):
        if size is not None:
            yield Standing(Limit(REQUESTS, window, size), OF_ACCOUNT, used, amount, ends_ms)
    for one, tally, count in zip(state.told, tallies, state.counts, strict=True):
        used, ends_ms = count.used - one.ahead, one.ends_ms(state.span, count.resets_at_ms)
        yield Standing(one.limit, one.of, used, tally.amount, ends_ms)
