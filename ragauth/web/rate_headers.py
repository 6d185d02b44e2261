"""What is left of each limit, as headers (draft-ietf-httpapi-ratelimit-headers-10)."""

from collections.abc import Iterable
from functools import lru_cache

from ragauth.services.limits.applied import AppliedLimit, AppliedLimits
from ragauth.services.limits.state import LimitState


def rate_headers(state: LimitState) -> list[tuple[str, str]]:
    """`RateLimit-Policy` names each limit (q) and its window (w, seconds), and what is counted
    where that is not requests (qu); `RateLimit` says what remains (r) and in how many seconds it
    is renewed (t). A total has no window. Without any limit there are no headers.
    """
    applied, month_seconds = state.applied, state.span.month_seconds
    if applied.is_plain:
        left = (
            f'"minute";r={state.minute_remaining};t={state.minute_resets_in},'
            f' "month";r={state.month_remaining};t={state.month_resets_in}'
        )
    else:
        left = ", ".join(_left(state))
    policy = (
        _usual_policy(applied, month_seconds)
        if state.told is applied.others
        else _policy(applied, state.told, month_seconds)
    )
    return [("RateLimit-Policy", policy), ("RateLimit", left)] if policy else []


def _left(state: LimitState) -> list[str]:
    applied, span = state.applied, state.span
    items = []
    if applied.requests_per_minute is not None:
        items.append(f'"minute";r={state.minute_remaining};t={state.minute_resets_in}')
    if applied.requests_per_month is not None:
        items.append(f'"month";r={state.month_remaining};t={state.month_resets_in}')
    # Seconds are rounded up, so that the wait is long enough.
    after = 999 - state.now_ms
    of_day, of_month = (span.day_ends_ms + after) // 1000, (span.month_ends_ms + after) // 1000
    for one, (used, resets_at_ms) in zip(state.told, state.counts, strict=True):
        size, period, begins = one.shown
        left = size - used if size > used else 0
        if period == 1:
            items.append(f"{begins}{left};t={of_day}")
        elif period == 2:
            items.append(f"{begins}{left};t={of_month}")
        elif resets_at_ms:
            items.append(f"{begins}{left};t={(resets_at_ms + after) // 1000}")
        else:
            # A total is never renewed.
            items.append(f"{begins}{left}")
    return items


def _policy(applied: AppliedLimits, told: Iterable[AppliedLimit], month_seconds: int) -> str:
    items = []
    if applied.requests_per_minute is not None:
        items.append(f'"minute";q={applied.requests_per_minute};w=60')
    if applied.requests_per_month is not None:
        items.append(f'"month";q={applied.requests_per_month};w={month_seconds}')
    items += (
        f"{one.policy_item};w={month_seconds}" if one.parts.period == 2 else one.policy_item
        for one in told
    )
    return ", ".join(items)


@lru_cache(maxsize=1024)
def _usual_policy(applied: AppliedLimits, month_seconds: int) -> str:
    return _policy(applied, applied.others, month_seconds)
