"""What the holder of a key may ask and do with the key alone."""

from typing import Any
from uuid import UUID

from ragauth.blueprints.keys.blueprint import check
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.checks import KeyHolderSchema, PresentedKeySchema
from ragauth.services.keys import holders
from ragauth.services.keys.holders import KeyHolder
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import api_key, public

TAG = "Key check"


@check.get("/me")
@endpoint(guard=api_key, data=KeyHolderSchema, is_quick=True)
def show_key_holder(caller: KeyFacts) -> KeyHolder:
    """The account and the key behind the credential, and what they may use."""
    return holders.get_holder(key_id=UUID(bytes=caller.id))


@check.post("/keys/revoke")
@endpoint(guard=public, body=PresentedKeySchema, status=204)
def revoke_presented_key(body: dict[str, Any]) -> None:
    """Kill the key in the body: for whoever found a leaked one."""
    holders.revoke_presented_key(presented_key=body["key"], client=current_client())
