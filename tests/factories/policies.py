"""Policies that tests put in force."""

from ragauth.policy import Policy, read_policy

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
