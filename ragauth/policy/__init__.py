"""The policy of an installation: scopes, meters and plans, as data (facade).

It holds no state and opens no file: `read_policy` takes the content. `DEFAULT_POLICY` holds
without a policy file. All layers above may read a policy; none changes one.
"""

from ragauth.policy.limits import REQUESTS, Limit
from ragauth.policy.policy import (
    DEFAULT_POLICY,
    FIRST_PLAN,
    SCOPE_NAME,
    Meter,
    Plan,
    Policy,
    Scope,
)
from ragauth.policy.policy_file import MOST_SCOPES, Fault, FaultyPolicy, read_policy
from ragauth.policy.policy_text import describe_policy, write_policy
from ragauth.policy.windows import DAY, HOUR, MINUTE, MONTH, TOTAL, Window, read_window

__all__ = [
    "DAY",
    "DEFAULT_POLICY",
    "FIRST_PLAN",
    "HOUR",
    "MINUTE",
    "MONTH",
    "MOST_SCOPES",
    "REQUESTS",
    "SCOPE_NAME",
    "TOTAL",
    "Fault",
    "FaultyPolicy",
    "Limit",
    "Meter",
    "Plan",
    "Policy",
    "Scope",
    "Window",
    "describe_policy",
    "read_policy",
    "read_window",
    "write_policy",
]
