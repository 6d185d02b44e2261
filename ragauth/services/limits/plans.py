"""Plans: what an account may do in a minute, in a month and in total."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ragauth.config import SettingsError
from ragauth.extensions import current
from ragauth.security.key_format import TEST

FIRST_PLAN = "trial"
NO_TEST_KEYS = "The plan has no test keys"
# The greatest integer in a structured header (RFC 9651 section 3.3.1).
_LARGEST = 10**15 - 1


@dataclass(frozen=True, slots=True)
class Plan:
    """The limits of one plan. `test` tells whether it has test keys, with a quota of their own."""

    name: str
    requests_per_minute: int
    requests_per_month: int
    max_keys: int
    max_agents: int
    test: bool = True

    def in_environment(self, environment: str) -> "Plan":
        """The limits for keys of one environment; a plan without test keys allows those nothing."""
        if self.test or environment != TEST:
            return self
        return replace(self, requests_per_minute=0, requests_per_month=0)


DEFAULT_PLANS = {
    plan.name: plan
    for plan in (
        Plan("trial", 60, 1_000, 5, 2),
        Plan("starter", 300, 50_000, 10, 10),
        Plan("pro", 1_200, 1_000_000, 50, 100),
        Plan("scale", 6_000, 20_000_000, 500, 1_000),
    )
}
_LIMITS = tuple(field.name for field in fields(Plan) if field.name not in ("name", "test"))


def load_plans(path: Path | None) -> Mapping[str, Plan]:
    """The plans of a TOML file, one table for each, or the default plans.

    The file must have every limit of every plan, and a plan named `trial` for new accounts;
    otherwise SettingsError. A plan may also have `test = false`.
    """
    if path is None:
        return DEFAULT_PLANS
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"RAGAUTH_PLANS_FILE: cannot read {path}: {error}") from error
    faults = [f"there is no plan {FIRST_PLAN}"] if FIRST_PLAN not in document else []
    for name, table in document.items():
        faults += [f"plan {name}: {fault}" for fault in _faults(name, table)]
    if faults:
        raise SettingsError(f"RAGAUTH_PLANS_FILE: {'; '.join(faults)}")
    return {name: Plan(name, **table) for name, table in document.items()}


def _faults(name: str, table: object) -> list[str]:
    if not isinstance(table, dict):
        return ["must be a table"]
    faults = [f"unknown setting {key}" for key in table if key not in (*_LIMITS, "test")]
    if not name or len(name) > 50 or not name.isascii() or not name.replace("-", "").isalnum():
        faults.append("its name must be letters, digits and hyphens")
    for limit in _LIMITS:
        value = table.get(limit)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
            faults.append(f"{limit} must be a whole number from 0 to {_LARGEST}")
    if not isinstance(table.get("test", True), bool):
        faults.append("test must be true or false")
    return faults


def current_plans() -> Mapping[str, Plan]:
    """The plans of the running application, by name."""
    plans: Mapping[str, Plan] = current().plans
    return plans


def plan_of(name: str | None, plans: Mapping[str, Plan]) -> Plan:
    """The plan of this name, or the first plan if the file no longer has one of this name."""
    return plans.get(name or FIRST_PLAN) or plans[FIRST_PLAN]
