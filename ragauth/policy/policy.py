"""What a policy consists of, and the one that holds without a file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ragauth.policy.limits import REQUESTS, Limit
from ragauth.policy.windows import MINUTE, MONTH, Window

#: The plan of a new account.
FIRST_PLAN = "trial"
SCOPE_NAME = re.compile(r"[a-z][a-z0-9_.:-]{0,49}")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key may be used for.

    A key that is bound to an agent needs the agent's name in a question for an `is_account_wide`
    scope. A publishable key may have only `is_publishable` ones. A scope `for_operators` is given
    by operators alone, and a key without a list of scopes does not have it.
    """

    name: str
    description: str
    is_account_wide: bool = False
    is_publishable: bool = False
    for_operators: bool = False


@dataclass(frozen=True, slots=True)
class Meter:
    """What is counted."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an account may do.

    `has_test_keys` tells whether it has test keys, which count apart. `features` are words that
    are told to services and decide nothing here.
    """

    name: str
    max_keys: int
    max_agents: int
    limits: tuple[Limit, ...]
    features: tuple[str, ...] = ()
    has_test_keys: bool = True
    #: The sizes of the two limits that each check asks for; None without one.
    requests_per_minute: int | None = field(init=False)
    requests_per_month: int | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "requests_per_minute", self.size_of(REQUESTS, MINUTE))
        object.__setattr__(self, "requests_per_month", self.size_of(REQUESTS, MONTH))

    def size_of(self, meter: str, window: Window) -> int | None:
        """The size of the plan's limit of a meter and window, if it has one."""
        for limit in self.limits:
            if limit.meter == meter and limit.window == window:
                return limit.size
        return None


# A policy is in the keys of caches of the check, so its hash must be fast: that of its identity.
@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Scopes, meters and plans by name. Each policy equals itself alone.

    With `open_scopes`, managed keys may have, and questions may name, scopes that are not
    declared.
    """

    scopes: Mapping[str, Scope]
    meters: Mapping[str, Meter]
    plans: Mapping[str, Plan]
    open_scopes: bool = False
    #: Those that owners give, and that a key without a list of scopes has; in the file's order.
    usual_scopes: tuple[str, ...] = field(init=False)
    #: Those of them that a publishable key may have.
    publishable_scopes: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        usual = tuple(scope.name for scope in self.scopes.values() if not scope.for_operators)
        publishable = tuple(name for name in usual if self.scopes[name].is_publishable)
        object.__setattr__(self, "usual_scopes", usual)
        object.__setattr__(self, "publishable_scopes", publishable)

    def is_known(self, scope: str) -> bool:
        """Whether a question may name this scope."""
        return scope in self.scopes or (
            self.open_scopes and SCOPE_NAME.fullmatch(scope) is not None
        )

    def is_account_wide(self, scope: str) -> bool:
        declared = self.scopes.get(scope)
        return declared is not None and declared.is_account_wide

    def counting(
        self, listed: Iterable[str], *, is_publishable: bool, is_managed: bool
    ) -> tuple[str, ...]:
        """Those scopes of a key's list that count.

        The others are no longer declared, or no longer for a publishable key. What an operator
        gave under `open_scopes` needs no declaration.
        """
        if self.open_scopes and is_managed and not is_publishable:
            return tuple(listed)
        return tuple(
            name
            for name in listed
            if (scope := self.scopes.get(name)) is not None
            and (scope.is_publishable or not is_publishable)
        )

    def plan(self, name: str | None) -> Plan:
        """The plan of this name, or the first plan where the file no longer has this one."""
        return self.plans.get(name or FIRST_PLAN) or self.plans[FIRST_PLAN]


def _plan(name: str, a_minute: int, a_month: int, max_keys: int, max_agents: int) -> Plan:
    limits = (Limit(REQUESTS, MINUTE, a_minute), Limit(REQUESTS, MONTH, a_month))
    return Plan(name, max_keys, max_agents, limits)


DEFAULT_SCOPES: Mapping[str, Scope] = {
    scope.name: scope
    for scope in (
        Scope("query", "Ask questions", is_publishable=True),
        Scope("ingest", "Add documents"),
        Scope("manage", "Change what belongs to the whole account", is_account_wide=True),
    )
}
DEFAULT_METERS: Mapping[str, Meter] = {REQUESTS: Meter(REQUESTS, "Allowed checks")}
DEFAULT_PLANS: Mapping[str, Plan] = {
    plan.name: plan
    for plan in (
        _plan("trial", 60, 1_000, 5, 2),
        _plan("starter", 300, 50_000, 10, 10),
        _plan("pro", 1_200, 1_000_000, 50, 100),
        _plan("scale", 6_000, 20_000_000, 500, 1_000),
    )
}
DEFAULT_POLICY = Policy(DEFAULT_SCOPES, DEFAULT_METERS, DEFAULT_PLANS)
