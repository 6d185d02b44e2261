"""What an account's plan allows, and how much of its monthly quota is used."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ragauth.policy import Plan
from ragauth.services.limits.limits import ENVIRONMENTS, LimitState, current_limits


@dataclass(frozen=True, slots=True)
class MonthUsage:
    """How much of the month's quota is used, in units of cost.

    `remaining` is None for a plan without such a limit.
    """

    this_month: int
    remaining: int | None
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """The plan, and the usage by environment: live and test keys are counted apart."""

    plan: Plan
    usage: Mapping[str, MonthUsage]


def get_limits(*, account_id: uuid.UUID, plan: str) -> AccountLimits:
    """The account's limits; raises ExternalServiceUnavailable if no counter answers."""
    limits = current_limits()
    states = {name: limits.peek(account_id.bytes, name, plan) for name in ENVIRONMENTS}
    return AccountLimits(
        plan=states[ENVIRONMENTS[0]].plan,
        usage={name: month_usage(state) for name, state in states.items()},
    )


def month_usage(state: LimitState) -> MonthUsage:
    return MonthUsage(state.month_used, state.month_remaining, state.month_resets_at)
