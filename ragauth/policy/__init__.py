"""The policy of an installation: scopes, meters and plans, as data (facade).

It holds no state and reads no file at import. `DEFAULT_POLICY` holds without a policy file. All
layers above may read a policy; none changes one.
"""

from ragauth.policy.limits import REQUESTS, Limit
from ragauth.policy.policy import DEFAULT_POLICY, FIRST_PLAN, Meter, Plan, Policy, Scope
from ragauth.policy.windows import DAY, HOUR, MINUTE, MONTH, TOTAL, Window, read_window

__all__ = [
    "DAY",
    "DEFAULT_POLICY",
    "FIRST_PLAN",
    "HOUR",
    "MINUTE",
    "MONTH",
    "REQUESTS",
    "TOTAL",
    "Limit",
    "Meter",
    "Plan",
    "Policy",
    "Scope",
    "Window",
    "read_window",
]
