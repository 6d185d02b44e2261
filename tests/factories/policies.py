"""Policies that tests put in force."""

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
_TEXT = """
open_scopes = {open_scopes}
[scopes.read]
description = "Read documents"
publishable = true
[scopes."docs.write:all"]
description = "Write documents"
[scopes.suggest]
description = "Complete a question"
publishable = true
[scopes.billing]
description = "See invoices"
account_wide = true
[scopes.train]
description = "Train models"
grant = "operator"
[meters.tokens]
description = "Tokens"
[plans.trial]
max_keys = 20
max_agents = 5
limits.requests = {{ minute = 1000, month = 10000 }}
[plans.unlimited]
max_keys = 20
max_agents = 5
[plans.team]
max_keys = 20
max_agents = 5
features = ["rerank", "gpt-4o"]
limits.requests = {{ minute = 1000, month = 10000 }}
"""
USUAL = ["read", "docs.write:all", "suggest", "billing"]
PUBLISHABLE = ["read", "suggest"]


def own_scopes(*, open_scopes: bool = False) -> Policy:
    """One whose scopes are none of the default ones: USUAL, and `train` of operators."""
    return read_policy(_TEXT.format(open_scopes=str(open_scopes).lower()).encode())


def metered(requests: str = "", others: str = "") -> Policy:
    """A policy with the meters `tokens` and `pages`.

    Both texts are further limits of the plan `trial`, in TOML: windows of requests (`day = 5`), and
    other meters (`tokens = { day = 5 }`).
    """
    text = _METERED.format(requests=requests and f", {requests}", others=others and f", {others}")
    return read_policy(text.encode())
