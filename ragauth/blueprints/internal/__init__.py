"""What a service of the operator's asks and sets, with a service key.

Accounts, events and usage, and customers' keys on their behalf. The rules are those of the
dashboard's routes: the same services, which are told that the operator acts.
"""

from ragauth.blueprints.internal import accounts, events, keys, policy, sessions, usage
from ragauth.blueprints.internal.blueprint import internal

__all__ = ["accounts", "events", "internal", "keys", "policy", "sessions", "usage"]
