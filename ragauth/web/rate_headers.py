"""What is left of each limit, as headers (draft-ietf-httpapi-ratelimit-headers-10)."""

from collections.abc import Iterator
from functools import lru_cache

from ragauth.services.limits.applied import policy_item
from ragauth.services.limits.limits import LimitState
from ragauth.services.limits.refusals import seconds_up


def rate_headers(state: LimitState) -> list[tuple[str, str]]:
    """`RateLimit-Policy` names each limit (q) and its window (w, seconds), and what is counted
    where that is not requests (qu); `RateLimit` says what remains (r) and in how many seconds it
    is renewed (t). A total has no window. Without any limit there are no headers.
    """
    applied = state.applied
    if applied.is_plain:
        a_minute, a_month = applied.requests_per_minute, applied.requests_per_month
        policy = _plain_policy(a_minute, a_month, state.span.month_seconds)
        left = (
            f'"minute";r={state.minute_remaining};t={state.minute_resets_in},'
            f' "month";r={state.month_remaining};t={state.month_resets_in}'
        )
    else:
        items = [*_items(state)]
        policy = ", ".join(item for item, _ in items)
        left = ", ".join(item for _, item in items)
    return [("RateLimit-Policy", policy), ("RateLimit", left)] if policy else []


def _items(state: LimitState) -> Iterator[tuple[str, str]]:
    """Each limit's item in both headers."""
    applied, span = state.applied, state.span
    if applied.requests_per_minute is not None:
        yield (
            f'"minute";q={applied.requests_per_minute};w=60',
            f'"minute";r={state.minute_remaining};t={state.minute_resets_in}',
        )
    if applied.requests_per_month is not None:
        yield (
            f'"month";q={applied.requests_per_month};w={span.month_seconds}',
            f'"month";r={state.month_remaining};t={state.month_resets_in}',
        )
    for one, count in zip(state.told, state.counts, strict=True):
        item = one.policy_item or policy_item(one.limit, one.label, span.month_seconds)
        left = max(0, one.limit.size - count.used)
        ends_ms = state.ends_ms(one, count)
        # Only a total has no end.
        renewed = f";t={seconds_up(ends_ms - state.now_ms)}" if ends_ms else ""
        yield item, f'"{one.label}";r={left}{renewed}'


@lru_cache(maxsize=256)
def _plain_policy(a_minute: int, a_month: int, month_seconds: int) -> str:
    return f'"minute";q={a_minute};w=60, "month";q={a_month};w={month_seconds}'
