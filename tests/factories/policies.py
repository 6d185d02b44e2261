"""Policies of installations that sell more than requests."""

from ragauth.policy import Policy, read_policy

_METERED = """
[meters.tokens]
description = "Tokens in and out"
[meters.pages]
description = "Pages that were read"

[plans.trial]
max_keys = 20
max_agents = 5
limits = {{ requests = {{ minute = 60, month = 1_000{requests} }}{others} }}

[plans.free]
max_keys = 20
max_agents = 5
"""


def metered(requests: str = "", others: str = "") -> Policy:
    """A policy with the meters `tokens` and `pages`.

    Both texts are further limits of the plan `trial`, in TOML: windows of requests (`day = 5`), and
    other meters (`tokens = { day = 5 }`).
    """
    text = _METERED.format(requests=requests and f", {requests}", others=others and f", {others}")
    return read_policy(text.encode())
