"""What is left of a plan, as headers (draft-ietf-httpapi-ratelimit-headers-10)."""

from functools import lru_cache

from ragauth.services.limits.limits import LimitState


def rate_headers(state: LimitState) -> list[tuple[str, str]]:
    """`RateLimit-Policy` names both quotas (q) and their windows (w, seconds); `RateLimit`
    says what remains (r) and in how many seconds it is renewed (t).
    """
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


@lru_cache(maxsize=256)
def _policy(a_minute: int, a_month: int, month_seconds: int) -> str:
    return f'"minute";q={a_minute};w=60, "month";q={a_month};w={month_seconds}'
