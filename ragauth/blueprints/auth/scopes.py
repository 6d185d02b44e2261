"""The scopes that an owner can give to a key."""

from ragauth.blueprints.auth.blueprint import auth
from ragauth.extensions import current_policy
from ragauth.models.base import Page
from ragauth.policy import Scope
from ragauth.schemas.scopes import ScopeSchema
from ragauth.services.sessions.sessions import Caller
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token


@auth.get("/scopes")
@endpoint(guard=access_token, data=ScopeSchema, is_list=True)
def list_scopes(caller: Caller) -> Page[Scope]:  # noqa: ARG001
    """What a key of yours may be used for: the scopes that you can give.

    A key whose list is null has all of them.
    """
    policy = current_policy()
    return Page([policy.scopes[name] for name in policy.usual_scopes], None)
