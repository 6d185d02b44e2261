"""Plans: what an account may do a minute, a month and in all."""

from dataclasses import dataclass

FIRST_PLAN = "trial"


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    requests_per_minute: int
    requests_per_month: int
    max_keys: int
    max_agents: int


def find_plan(name: str) -> Plan | None:
    return DEFAULT_PLANS.get(name)


DEFAULT_PLANS = {
    plan.name: plan
    for plan in (
        Plan("trial", 60, 1_000, 5, 2),
        Plan("starter", 300, 50_000, 10, 10),
        Plan("pro", 1_200, 1_000_000, 50, 100),
        Plan("scale", 6_000, 20_000_000, 500, 1_000),
    )
}
