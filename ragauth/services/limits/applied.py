"""Which limits apply to a key's checks: its plan's, its account's and its own, compiled once.

The account's limits are its plan's; one that an operator set on the account replaces the plan's of
the same meter and window, or removes it. The key's own come on top.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ragauth.policy import DAY, MINUTE, MONTH, REQUESTS, Limit, Plan, Policy, read_window
from ragauth.policy.limits import ALWAYS, LARGEST, NAMED
from ragauth.services.limits.marks import CREDITS, NO_PLAN, REFILL
from ragauth.services.limits.spans import DAY_MS, Span

OF_ACCOUNT = "account"
OF_KEY = "key"
#: The size that the counters are told where there is no limit.
NO_LIMIT = 10**15


class Parts(NamedTuple):
    """What a tally of a limit consists of; numbers are positions.

    `owner` is 0 for the account, 1 for the key. `period` is 0 for a total and for windows with a
    length, 1 for a day, 2 for a month. `takes` is 0 for what a check takes its cost of (requests
    in the calendar and in all), 1 for what it takes one of (requests in other windows), None for
    other meters.
    """

    owner: int
    name: bytes
    meter: bytes
    length_ms: int
    period: int
    size: int
    takes: int | None


@dataclass(frozen=True, slots=True, eq=False)
class AppliedLimit:
    """A limit, and how the counters and the headers call it.

    `label` is its name in the RateLimit headers. `policy_item` is its item in RateLimit-Policy, of
    a month without the window; `shown` has what its item in RateLimit is made of: its size, its
    period (as in `Parts`), and how the item begins.
    """

    limit: Limit
    of: str
    label: str
    parts: Parts
    policy_item: str
    shown: tuple[int, int, str]

    def left(self, count: int) -> int:
        """What is left if the store has counted so much."""
        return max(0, self.parts.size - count)

    @property
    def ahead(self) -> int:
        """By how much its count in the store is ahead of what is used: 0 except for credits."""
        return self.parts.size - self.limit.size

    def ends_ms(self, span: Span, resets_at_ms: int) -> int:
        """When its window is over, in Unix milliseconds, if the store says `resets_at_ms` of it.

        0 for a total.
        """
        return (resets_at_ms, span.day_ends_ms, span.month_ends_ms)[self.parts.period]


@dataclass(frozen=True, slots=True, eq=False)
class AppliedLimits:
    """All limits of one key's checks.

    The account's requests a minute and a month are sizes by themselves, None without such a limit:
    the counters keep these two apart. `others` apply to each check, `named` to those that name
    them.
    """

    plan: Plan
    requests_per_minute: int | None
    requests_per_month: int | None
    others: tuple[AppliedLimit, ...]
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
    own = json.loads(account_limits) if account_limits else ()
    of_plan = () if any(stored.get(NO_PLAN) for stored in own) else plan.limits
    of_account = {(limit.meter, limit.window.name): limit for limit in of_plan}
    for stored in own:
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
        is_of_credits=stored.get(CREDITS, False) or stored.get(REFILL, False),
    )


def label_of(limit: Limit, of: str) -> str:
    """The limit's name in the RateLimit headers, such as `day` or `key-tokens-month`."""
    label = limit.name or (
        limit.window.name if limit.meter == REQUESTS else f"{limit.meter}-{limit.window.name}"
    )
    return f"key-{label}" if of == OF_KEY else label


def _apply(limits: Iterable[Limit], of: str, policy: Policy) -> list[AppliedLimit]:
    return [apply_limit(limit, of) for limit in limits if limit.meter in policy.meters]


def apply_limit(limit: Limit, of: str) -> AppliedLimit:
    window, label = limit.window, label_of(limit, of)
    name = f"{limit.meter}/{window.name}" + ("" if limit.name is None else f"/{limit.name}")
    size = limit.size
    if limit.is_of_credits:
        # One size for all, so that a check that has read an older row is decided by the same one:
        # whoever changes what is left changes the count.
        name, size = f"{limit.meter}/{window.name}/credits", LARGEST
    is_of_requests = limit.meter == REQUESTS
    period = {DAY: 1, MONTH: 2}.get(window, 0)
    return AppliedLimit(
        limit=limit,
        of=of,
        label=label,
        parts=Parts(
            owner=(OF_ACCOUNT, OF_KEY).index(of),
            name=name.encode(),
            meter=limit.meter.encode(),
            length_ms=window.length_ms or 0,
            period=period,
            size=size,
            takes=int(window.length_ms is not None) if is_of_requests else None,
        ),
        policy_item=_policy_item(limit, label),
        shown=(size, period, f'"{label}";r='),
    )


def _policy_item(limit: Limit, label: str) -> str:
    """A limit in RateLimit-Policy; the seconds of a month differ and are left out."""
    unit = "" if limit.meter == REQUESTS else f';qu="{limit.meter}"'
    length_ms = DAY_MS if limit.window == DAY else limit.window.length_ms
    # In whole seconds (draft-ietf-httpapi-ratelimit-headers-10 section 3), at least 1.
    window = "" if length_ms is None else f";w={-(-length_ms // 1000)}"
    return f'"{label}";q={limit.size}{unit}{window}'


_NO_MINUTE = Limit(REQUESTS, MINUTE, 0)
_NO_MONTH = Limit(REQUESTS, MONTH, 0)
