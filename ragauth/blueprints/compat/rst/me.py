"""What an RST key opens."""

from typing import Any
from uuid import UUID

from ragauth.blueprints.compat.rst.blueprint import rst
from ragauth.blueprints.compat.rst.schemas import RstUser
from ragauth.errors import NoSuchRoute, WrongCredentialType
from ragauth.models.reads.keys import KeyFacts
from ragauth.services.keys import holders
from ragauth.web.endpoint import declared, endpoint
from ragauth.web.guards import customer_key
from ragauth.web.paths import ANY_METHOD


@rst.get("/v1/me")
@endpoint(guard=customer_key, data=RstUser)
def show_me(caller: KeyFacts) -> Any:
    """The user behind the key."""
    account = holders.get_holder(key_id=UUID(bytes=caller.id)).account
    if account is None:
        raise WrongCredentialType("A publishable key does not tell whose it is")
    return account


@rst.route("/v1/me/<path:path>", methods=ANY_METHOD)
@declared(guard=customer_key, is_documented=False)
def refuse_unknown(path: str) -> Any:  # noqa: ARG001
    """The vendor's resources lie below, none of them ours: a key is asked for, then nothing is."""
    customer_key()
    raise NoSuchRoute
