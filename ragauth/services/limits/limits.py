"""Rate limits and quotas: decided by the counters, exactly, for all workers at once."""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from ragauth import clock
from ragauth.counters import Charge, Counters, CountersUnavailable
from ragauth.errors import (
    ExternalServiceUnavailable,
    RagauthError,
    RateLimitExceeded,
    UsageLimitExceeded,
)
from ragauth.extensions import current
from ragauth.metrics import LIMIT_HITS
from ragauth.models.reads.usage import RowName
from ragauth.policy import MINUTE, MONTH, REQUESTS, Limit, Plan, Policy
from ragauth.security.key_format import LIVE, TEST

log = logging.getLogger("ragauth")

NO_TEST_KEYS = "The plan has no test keys"
ENVIRONMENTS = (LIVE, TEST)
_INDEX_OF = {name: index for index, name in enumerate(ENVIRONMENTS)}
_TEST_INDEX = _INDEX_OF[TEST]
_DAY_MS = 86_400_000
# The size that the counters are told where a plan has no limit.
_NO_LIMIT = 10**15
_NOTHING = (Limit(REQUESTS, MINUTE, 0), Limit(REQUESTS, MONTH, 0))
# Half the cost of calling LimitState(…) and Charge(…), whose __new__ is written in Python.
_new_tuple = tuple.__new__

LoadMonthUnits = Callable[[uuid.UUID, str, int, Mapping[RowName, int]], int]


class Span(NamedTuple):
    """The day and month of a moment (UTC), and that month's bounds."""

    day: int
    month: int
    month_seconds: int
    month_ends_ms: int


class LimitState(NamedTuple):
    """How much of its plan an account has used, after the request that asked. In seconds."""

    plan: Plan
    minute_used: int
    minute_resets_in: int
    month_used: int
    month_resets_in: int
    span: Span

    @property
    def month_resets_at(self) -> datetime:
        return clock.from_ms(self.span.month_ends_ms)

    @property
    def minute_remaining(self) -> int | None:
        """None for a plan without such a limit."""
        return _remaining(self.plan.requests_per_minute, self.minute_used)

    @property
    def month_remaining(self) -> int | None:
        """None for a plan without such a limit."""
        return _remaining(self.plan.requests_per_month, self.month_used)


class Limits:
    """The limits of all accounts. Live and test keys are counted apart."""

    def __init__(
        self, counters: Counters, policy: Policy, load_month_units: LoadMonthUnits
    ) -> None:
        self.counters = counters
        self._policy = policy
        self._load_month_units = load_month_units
        self._known_span = (0, span_of(0))

    def admit(
        self, account_id: bytes, key_id: bytes, environment: str, plan_name: str | None, cost: int
    ) -> tuple[RagauthError | None, LimitState]:
        """Count one request of `cost` units, or refuse it and count nothing.

        Raises ExternalServiceUnavailable if no counter answers.
        """
        plan = self._policy.plan(plan_name)
        environment_index = _INDEX_OF[environment]
        if not plan.has_test_keys and environment_index == _TEST_INDEX:
            return _refusal_of_test_keys(), self.peek(account_id, environment, plan_name)
        now_ms = clock.now_ns() // 1_000_000
        span = self._span_at(now_ms)
        charge = _new_tuple(
            Charge,
            (
                account_id,
                key_id,
                environment_index,
                _NO_LIMIT if (size := plan.requests_per_minute) is None else size,
                _NO_LIMIT if (size := plan.requests_per_month) is None else size,
                cost,
                span.month,
                span.day,
                now_ms,
            ),
        )
        try:
            while True:
                admission = self.counters.admit(charge)
                if admission is not None:
                    break
                self._seed(account_id, environment_index, span.month)
        except CountersUnavailable as error:
            raise _unavailable(error) from error
        refused_by, minute_used, minute_resets_at_ms, month_used = admission
        state = _state(plan, minute_used, minute_resets_at_ms, month_used, span, now_ms)
        if refused_by is None:
            return None, state
        return _refusal(refused_by, state, cost), state

    def peek(self, account_id: bytes, environment: str, plan_name: str | None) -> LimitState:
        """The usage so far, without counting a request; raises ExternalServiceUnavailable."""
        plan = self._policy.plan(plan_name)
        if environment == TEST and not plan.has_test_keys:
            plan = replace(plan, limits=_NOTHING)
        now_ms = clock.now_ns() // 1_000_000
        span = self._span_at(now_ms)
        environment_index = _INDEX_OF[environment]
        try:
            while True:
                peek = self.counters.peek(account_id, environment_index, span.month, now_ms)
                if peek is not None:
                    break
                self._seed(account_id, environment_index, span.month)
        except CountersUnavailable as error:
            raise _unavailable(error) from error
        return _state(plan, *peek, span, now_ms)

    def forget_account(self, account_id: uuid.UUID) -> None:
        """Drop a deleted account's counts of minutes and months, after the commit that deleted it.

        The usage of its keys stays and is still saved, because the operator bills by it. If the
        counters do not answer, the record stays until it is stale.
        """
        try:
            self.counters.forget_account(account_id.bytes)
        except CountersUnavailable as error:
            log.warning(
                "the limits of a deleted account were not dropped", extra={"cause": str(error)}
            )

    def _seed(self, account_id: bytes, environment_index: int, month: int) -> None:
        """Start a month in the counters at the units that database and counters know together.

        Needed for a new month and after a loss of the counters. Units that are counted and not
        saved yet are added to those in the database. Saving them first would make a key check wait
        for the database's writers.
        """
        unsaved = {
            RowName(uuid.UUID(bytes=row.key), _iso_day(row.day), row.source_id): row.units
            for row in self.counters.usage_to_seed(account_id)
            if row.environment == environment_index and row.day // 100 == month
        }
        units = self._load_month_units(
            uuid.UUID(bytes=account_id), ENVIRONMENTS[environment_index], month, unsaved
        )
        self.counters.seed_month(account_id, environment_index, month, units)

    def _span_at(self, now_ms: int) -> Span:
        day = now_ms // _DAY_MS
        known_day, span = self._known_span
        if day != known_day:
            span = span_of(now_ms)
            # Replaced in one assignment: no thread sees one day's key with another day's span.
            self._known_span = (day, span)
        return span


def _iso_day(day: int) -> str:
    return f"{day // 10_000}-{day // 100 % 100:02}-{day % 100:02}"


def _unavailable(error: CountersUnavailable) -> ExternalServiceUnavailable:
    log.error("the counters did not answer", extra={"cause": str(error)})
    return ExternalServiceUnavailable()


def current_limits() -> Limits:
    """The limits of the running application."""
    limits: Limits = current().limits
    return limits


def span_of(now_ms: int) -> Span:
    today = clock.from_ms(now_ms)
    month_begins = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    month_ends = (month_begins + timedelta(days=31)).replace(day=1)
    return Span(
        day=today.year * 10_000 + today.month * 100 + today.day,
        month=today.year * 100 + today.month,
        month_seconds=int((month_ends - month_begins).total_seconds()),
        month_ends_ms=int(month_ends.timestamp() * 1000),
    )


def _state(
    plan: Plan,
    minute_used: int,
    minute_resets_at_ms: int,
    month_used: int,
    span: Span,
    now_ms: int,
) -> LimitState:
    return _new_tuple(
        LimitState,
        (
            plan,
            minute_used,
            _seconds_up(minute_resets_at_ms - now_ms),
            month_used,
            _seconds_up(span.month_ends_ms - now_ms),
            span,
        ),
    )


def _remaining(size: int | None, used: int) -> int | None:
    return None if size is None else max(0, size - used)


def _seconds_up(milliseconds: int) -> int:
    """Milliseconds in whole seconds, rounded up so that the wait is long enough."""
    return -(-milliseconds // 1000) if milliseconds > 0 else 0


def _refusal(refused_by: str, state: LimitState, cost: int) -> RagauthError:
    if refused_by == "minute":
        LIMIT_HITS.count("requests_per_minute")
        resets_at = clock.now() + timedelta(seconds=state.minute_resets_in)
        return RateLimitExceeded(
            state.minute_resets_in,
            f"More than the plan's {state.plan.requests_per_minute} requests in a minute",
            details={
                "limit": "requests_per_minute",
                "size": state.plan.requests_per_minute,
                "resets_at": clock.format_time(resets_at),
            },
        )
    LIMIT_HITS.count("requests_per_month")
    left = state.month_remaining
    return UsageLimitExceeded(
        "The plan's monthly quota is used up"
        if left == 0
        else f"The plan's monthly quota is too small for this: cost {cost}, {left} left this month",
        details={
            "limit": "requests_per_month",
            "size": state.plan.requests_per_month,
            "resets_at": clock.format_time(state.month_resets_at),
        },
        headers={"Retry-After": str(max(1, state.month_resets_in))},
    )


def _refusal_of_test_keys() -> UsageLimitExceeded:
    """The refusal for a plan without test keys.

    It names no time to wait: waiting would not help.
    """
    LIMIT_HITS.count("requests_per_month")
    return UsageLimitExceeded(NO_TEST_KEYS, details={"limit": "requests_per_month", "size": 0})
