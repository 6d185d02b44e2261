"""What is left of a plan, as headers (draft-ietf-httpapi-ratelimit-headers-10)."""

from functools import lru_cache

from ragauth.services.limits.limits import LimitState


def rate_headers(state: LimitState) -> list[tuple[str, str]]:
    """`RateLimit-Policy` names both quotas (q) and their windows (w, seconds); `RateLimit`
    says what remains (r) and in how many seconds it is renewed (t).

    A limit that the plan does not have is not named.
    """
    if state.plan.requests_per_minute is None or state.plan.requests_per_month is None:
        return _rate_headers_of_one(state)
    return [
        (
            "RateLimit-Policy",
            _policy(
                state.plan.requests_per_minute,
                state.plan.requests_per_month,
                state.span.month_seconds,
            ),
        ),
        (
            "RateLimit",
            f'"minute";r={state.minute_remaining};t={state.minute_resets_in},'
            f' "month";r={state.month_remaining};t={state.month_resets_in}',
        ),
    ]


def _rate_headers_of_one(state: LimitState) -> list[tuple[str, str]]:
    """For a plan that lacks one limit, or both: then there are no headers."""
    plan, span = state.plan, state.span
    if plan.requests_per_minute is not None:
        return [
            ("RateLimit-Policy", f'"minute";q={plan.requests_per_minute};w=60'),
            ("RateLimit", f'"minute";r={state.minute_remaining};t={state.minute_resets_in}'),
        ]
    if plan.requests_per_month is not None:
        return [
            ("RateLimit-Policy", f'"month";q={plan.requests_per_month};w={span.month_seconds}'),
            ("RateLimit", f'"month";r={state.month_remaining};t={state.month_resets_in}'),
        ]
    return []


@lru_cache(maxsize=256)
def _policy(a_minute: int, a_month: int, month_seconds: int) -> str:
    return f'"minute";q={a_minute};w=60, "month";q={a_month};w={month_seconds}'
