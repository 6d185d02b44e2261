"""Which limits apply to a key's checks: its plan's, its account's and its own, compiled once.

The account's limits are its plan's; one that an operator set on the account replaces the plan's of
the same meter and window, or removes it. The key's own come on top.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ragauth.policy import DAY, MINUTE, MONTH, REQUESTS, Limit, Plan, Policy, read_window
from ragauth.policy.limits import ALWAYS, NAMED
from ragauth.services.limits.spans import Span

OF_ACCOUNT = "account"
OF_KEY = "key"
#: The size that the counters are told where there is no limit.
NO_LIMIT = 10**15

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class AppliedLimit:
    """A limit, and how the counters and the headers call it.

    `label` is its name in the RateLimit headers; `policy_item` is its item in RateLimit-Policy,
    None where that depends on the month. `takes_cost` is for requests in the calendar and in all,
    of which a check takes its cost; of requests in other windows it `takes_one`.
    """

    limit: Limit
    of: str
    label: str
    policy_item: str | None
    tally_name: bytes
    meter: bytes
    length_ms: int
    takes_cost: bool
    takes_one: bool

    def period(self, span: Span) -> int:
        """The period that its count belongs to; 0 for a total and for windows with a length."""
        window = self.limit.window
        return span.day if window == DAY else span.month if window == MONTH else 0

    def ends_ms(self, span: Span) -> int:
        """When its window of the calendar is over; 0 for a total and for windows with a length."""
        window = self.limit.window
        return span.day_ends_ms if window == DAY else span.month_ends_ms if window == MONTH else 0


@dataclass(frozen=True, slots=True)
class AppliedLimits:
    """All limits of one key's checks.

    The account's requests a minute and a month are sizes by themselves, None without such a limit:
    the counters keep these two apart. `others` apply to each check; `named` are those that a check
    must name, and `by_name` all that it may name.
    """

    plan: Plan
    requests_per_minute: int | None
    requests_per_month: int | None
    others: tuple[AppliedLimit, ...]
    by_name: Mapping[str, AppliedLimit]
    named: tuple[AppliedLimit, ...]
    #: Nothing beside the minute and the month applies, or could be named.
    is_plain: bool
    #: The keys of an environment that the plan does not have: nothing is allowed.
    is_closed: bool


def compile_limits(
    policy: Policy,
    plan_name: str | None,
    account_limits: str | None,
    key_limits: str | None,
    *,
    is_closed: bool,
) -> AppliedLimits:
    """Compile what applies; both texts are JSON as the database has it, None for no limits.

    A limit of a meter that the policy does not declare counts for nothing.
    """
    plan = policy.plan(plan_name)
    of_account = {(limit.meter, limit.window.name): limit for limit in plan.limits}
    for stored in json.loads(account_limits) if account_limits else ():
        window = read_window(stored["window"])
        name = (stored["meter"], window.name)
        if stored["size"] is None:
            of_account.pop(name, None)
        else:
            of_account[name] = Limit(stored["meter"], window, stored["size"])
    if is_closed:
        of_account = {
            name: Limit(limit.meter, limit.window, 0) for name, limit in of_account.items()
        } | {(REQUESTS, MINUTE.name): _NO_MINUTE, (REQUESTS, MONTH.name): _NO_MONTH}
    minute = of_account.pop((REQUESTS, MINUTE.name), None)
    month = of_account.pop((REQUESTS, MONTH.name), None)
    of_key = [read_key_limit(stored) for stored in json.loads(key_limits)] if key_limits else []
    applied = [
        *_apply(of_account.values(), OF_ACCOUNT, policy),
        *_apply(of_key, OF_KEY, policy),
    ]
    return AppliedLimits(
        plan=plan,
        requests_per_minute=None if minute is None else minute.size,
        requests_per_month=None if month is None else month.size,
        others=tuple(found for found in applied if found.limit.applies == ALWAYS),
        by_name={found.limit.name: found for found in applied if found.limit.name is not None},
        named=tuple(found for found in applied if found.limit.applies == NAMED),
        is_plain=not applied and minute is not None and month is not None,
        is_closed=is_closed,
    )


def read_key_limit(stored: Mapping[str, Any]) -> Limit:
    """A limit of a key, from the form in which it is stored and told."""
    return Limit(
        meter=stored["meter"],
        window=read_window(stored["window"]),
        size=stored["size"],
        name=stored.get("name"),
        applies=stored.get("applies", ALWAYS),
    )


def label_of(limit: Limit, of: str) -> str:
    """The limit's name in the RateLimit headers, such as `day` or `key-tokens-month`."""
    label = limit.name or (
        limit.window.name if limit.meter == REQUESTS else f"{limit.meter}-{limit.window.name}"
    )
    return f"key-{label}" if of == OF_KEY else label


def _apply(limits: Iterable[Limit], of: str, policy: Policy) -> list[AppliedLimit]:
    return [_applied(limit, of) for limit in limits if limit.meter in policy.meters]


def _applied(limit: Limit, of: str) -> AppliedLimit:
    window, label = limit.window, label_of(limit, of)
    name = f"{limit.meter}/{window.name}" + ("" if limit.name is None else f"/{limit.name}")
    is_of_requests = limit.meter == REQUESTS
    return AppliedLimit(
        limit=limit,
        of=of,
        label=label,
        policy_item=_policy_item(limit, label),
        tally_name=name.encode(),
        meter=limit.meter.encode(),
        length_ms=window.length_ms or 0,
        takes_cost=is_of_requests and window.length_ms is None,
        takes_one=is_of_requests and window.length_ms is not None,
    )


def _policy_item(limit: Limit, label: str) -> str | None:
    if limit.window == MONTH:
        return None
    return policy_item(limit, label, _seconds_of(limit))


def policy_item(limit: Limit, label: str, seconds: int | None) -> str:
    """A limit in RateLimit-Policy; `seconds` is the length of its window, None for a total."""
    window = "" if seconds is None else f";w={seconds}"
    unit = "" if limit.meter == REQUESTS else f';qu="{limit.meter}"'
    return f'"{label}";q={limit.size}{window}{unit}'


def _seconds_of(limit: Limit) -> int | None:
    """The length of a window in whole seconds (at least 1); None for a total."""
    if limit.window == DAY:
        return _DAY_SECONDS
    length_ms = limit.window.length_ms
    return None if length_ms is None else -(-length_ms // 1000)


_NO_MINUTE = Limit(REQUESTS, MINUTE, 0)
_NO_MONTH = Limit(REQUESTS, MONTH, 0)
