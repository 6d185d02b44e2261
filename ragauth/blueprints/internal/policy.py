"""The policy: what accounts can be given."""

from typing import Any

from ragauth.blueprints.internal.blueprint import internal
from ragauth.extensions import current_policy
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.policy import PolicySchema
from ragauth.security.scopes import ACCOUNTS
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

TAG = "For your own services"


@internal.get("/policy")
@endpoint(guard=service_key(ACCOUNTS), data=PolicySchema)
def show_policy(caller: KeyFacts) -> dict[str, Any]:  # noqa: ARG001
    """The plans and meters of the policy file, or of the defaults."""
    policy = current_policy()
    return {"plans": [*policy.plans.values()], "meters": [*policy.meters.values()]}
