"""What an account's plan and its own limits allow, and how much of it is used."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from ragauth import transaction
from ragauth.errors import NoSuchAccount, NoSuchKey
from ragauth.models import Account, ApiKey
from ragauth.models import accounts as account_rows
from ragauth.models import api_keys as key_rows
from ragauth.policy import MINUTE, MONTH, REQUESTS, Plan, Window
from ragauth.policy.limits import MOST_LIMITS
from ragauth.services.limits.applied import OF_ACCOUNT
from ragauth.services.limits.limits import Terms, current_limits
from ragauth.services.limits.marks import NO_PLAN
from ragauth.services.limits.refusals import end_of
from ragauth.services.limits.seeds import ENVIRONMENTS
from ragauth.services.limits.state import LimitState
from ragauth.services.limits.takings import Owners


@dataclass(frozen=True, slots=True)
class MonthUsage:
    """How much of the month's quota is used, in units of cost.

    `remaining` is None without such a limit.
    """

    this_month: int
    remaining: int | None
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit that applies, and how much of it is used. A total never resets."""

    meter: str
    window: str
    name: str | None
    of: str
    environment: str
    size: int
    used: int
    remaining: int
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """The plan, what holds of the account, and the usage by environment.

    Live and test keys are counted apart. The requests a minute and a month are those of live keys,
    None without such a limit.
    """

    plan: Plan
    requests_per_minute: int | None
    requests_per_month: int | None
    usage: Mapping[str, MonthUsage]
    quotas: Sequence[Quota]
    limit_mails: bool


def get_limits(*, account_id: uuid.UUID, key_id: uuid.UUID | None = None) -> AccountLimits:
    """The account's limits, and those of one of its keys, be it revoked.

    Raises NoSuchAccount for one that was deleted meanwhile, NoSuchKey for a key that is not there,
    ExternalServiceUnavailable if no counter answers.
    """
    with transaction.read_only():
        account = account_rows.find_account(account_id)
        find_key = partial(key_rows.find_key, account_id, include_revoked=True)
        key = None if key_id is None else find_key(key_id)
    if account is None:
        raise NoSuchAccount
    if key is None and key_id is not None:
        raise NoSuchKey
    states = {name: _state_of(account, name, key) for name in ENVIRONMENTS}
    applied = states[ENVIRONMENTS[0]].applied
    return AccountLimits(
        plan=applied.plan,
        requests_per_minute=applied.requests_per_minute,
        requests_per_month=applied.requests_per_month,
        usage={name: month_usage(state) for name, state in states.items()},
        quotas=[quota for name, state in states.items() for quota in quotas_of(state, name)],
        limit_mails=account.limit_mails,
    )


def _state_of(account: Account, environment: str, key: ApiKey | None) -> LimitState:
    """With the limits of the key, in its own environment."""
    plan, own = account.plan, text_of(account.limits)
    if key is None or key.environment != environment:
        owners = Owners(account.id.bytes, account.id.bytes)
        return current_limits().peek_at_all(owners, environment, plan, own)
    owners = Owners(account.id.bytes, (key.counted_as or key.id).bytes)
    return current_limits().peek_at_all(owners, environment, plan, own, text_of(key.limits))


def without_limits_of(plan: Plan) -> list[dict[str, Any]]:
    """Limits of an account that remove all those of its plan, whatever the plan gets later.

    The usual ones of requests are told, too.
    """
    usual = [(REQUESTS, name) for name in ("minute", "month", "day", "hour", "total")]
    places = dict.fromkeys([*((limit.meter, limit.window.name) for limit in plan.limits), *usual])
    return [
        {"meter": meter, "window": window, "size": None, NO_PLAN: True}
        for meter, window in islice(places, MOST_LIMITS)
    ]


def text_of(limits: Sequence[Mapping[str, Any]] | None) -> str | None:
    """Limits as the database has them, so that each has one compiled form."""
    return None if limits is None else json.dumps(limits, separators=(",", ":"))


def terms_of(
    plan: str,
    account_limits: Sequence[Mapping[str, Any]] | None,
    key_limits: Sequence[Mapping[str, Any]] | None = None,
) -> Terms:
    return Terms(plan, text_of(account_limits), text_of(key_limits))


def begin_new_limits(
    owners: Owners, environments: Iterable[str], *, before: Terms, after: Terms
) -> None:
    """Let limits that are new begin anew when the present transaction is committed."""
    if before == after:
        return
    limits = current_limits()
    for environment in environments:
        transaction.when_committed(partial(limits.begin_new, owners, environment, before, after))


def month_usage(state: LimitState) -> MonthUsage:
    return MonthUsage(state.month_used, state.month_remaining, state.month_resets_at)


def quotas_of(state: LimitState, environment: str) -> list[Quota]:
    """Every limit of the state: the account's first."""
    return [
        # Of what was raised beyond its size, less than nothing is used.
        Quota(
            *(meter, window, name, of, environment, size),
            used=max(0, used),
            remaining=max(0, size - used),
            resets_at=resets_at,
        )
        for meter, window, name, of, size, used, resets_at in _quotas(state)
    ]


_Quota = tuple[str, str, str | None, str, int, int, datetime | None]


def _quotas(state: LimitState) -> Iterator[_Quota]:
    def of_requests(window: Window, size: int, used: int, ends: datetime) -> _Quota:
        return REQUESTS, window.name, None, OF_ACCOUNT, size, used, ends

    applied = state.applied
    if applied.requests_per_minute is not None:
        ends = end_of(state.now_ms + 1000 * state.minute_resets_in)
        yield of_requests(MINUTE, applied.requests_per_minute, state.minute_used, ends)
    if applied.requests_per_month is not None:
        ends = state.month_resets_at
        yield of_requests(MONTH, applied.requests_per_month, state.month_used, ends)
    for one, count in zip(state.told, state.counts, strict=True):
        limit, ends_ms = one.limit, one.ends_ms(state.span, count.resets_at_ms)
        ends_at = end_of(ends_ms) if ends_ms else None
        used = count.used - one.ahead
        yield limit.meter, limit.window.name, limit.name, one.of, limit.size, used, ends_at
