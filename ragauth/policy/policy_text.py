"""A policy as data, and as TOML that `read_policy` reads again to the same policy."""

import json
from typing import Any

from ragauth.policy.limits import Limit
from ragauth.policy.policy import Policy
from ragauth.policy.policy_file import OPERATOR, OWNER, place_of

# What a file may leave out.
_LEFT_OUT = {
    "account_wide": False,
    "publishable": False,
    "grant": OWNER,
    "limits": {},
    "features": [],
    "test": True,
}


def describe_policy(policy: Policy) -> dict[str, Any]:
    """The policy as values of JSON, named and nested as in the file."""
    return {
        "open_scopes": policy.open_scopes,
        "scopes": {
            scope.name: {
                "description": scope.description,
                "account_wide": scope.is_account_wide,
                "publishable": scope.is_publishable,
                "grant": OPERATOR if scope.for_operators else OWNER,
            }
            for scope in policy.scopes.values()
        },
        "meters": {
            meter.name: {"description": meter.description} for meter in policy.meters.values()
        },
        "plans": {
            plan.name: {
                "max_keys": plan.max_keys,
                "max_agents": plan.max_agents,
                "limits": _by_meter(plan.limits),
                "features": list(plan.features),
                "test": plan.has_test_keys,
            }
            for plan in policy.plans.values()
        },
    }


def write_policy(policy: Policy) -> str:
    """The policy as TOML, without the settings that have their defaults."""
    described = describe_policy(policy)
    blocks = [f"open_scopes = {_value(described.pop('open_scopes'))}"]
    for kind, tables in described.items():
        for name, table in tables.items():
            lines = [f"[{place_of(kind, name)}]"]
            lines += [
                f"{key} = {_value(value)}"
                for key, value in table.items()
                if key not in _LEFT_OUT or value != _LEFT_OUT[key]
            ]
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _by_meter(limits: tuple[Limit, ...]) -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, int]] = {}
    for limit in limits:
        sizes.setdefault(limit.meter, {})[limit.window.name] = limit.size
    return sizes


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{place_of(key)} = {_value(one)}" for key, one in value.items())
        return f"{{ {inner} }}"
    # Of text without control characters, JSON's and TOML's forms are the same.
    return json.dumps(value, ensure_ascii=False)
