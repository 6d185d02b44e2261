"""API keys, as RST's clients manage them."""

from typing import Any

from ragauth.blueprints.compat.face import WHOLE_LIST
from ragauth.blueprints.compat.rst.blueprint import rst
from ragauth.blueprints.compat.rst.schemas import RstIssuedKey, RstKey, RstNewKey
from ragauth.errors import UsageLimitExceeded
from ragauth.models.api_keys import SECRET
from ragauth.models.base import Page, Shown
from ragauth.security.key_format import LIVE, RST
from ragauth.services.keys import api_keys
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.services.sessions.sessions import Caller
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token


@rst.post("/v1/auth/api-keys")
@endpoint(guard=access_token, body=RstNewKey, data=RstIssuedKey, errors=(UsageLimitExceeded,))
def create_key(caller: Caller, body: dict[str, Any]) -> IssuedKey:
    """Make a key that starts with `rst_`; its raw form is shown this once."""
    return api_keys.create_key(
        account_id=caller.account.id,
        fields={**body, "kind": SECRET, "environment": LIVE, "unbranded_tag": RST},
        agent_id=None,
        client=current_client(),
    )


@rst.get("/v1/auth/api-keys")
@endpoint(guard=access_token, data=RstKey, is_list=True)
def list_keys(caller: Caller) -> Page[Shown]:
    """The account's keys, whichever face they were made at."""
    return api_keys.list_keys(
        account_id=caller.account.id,
        agent_id=None,
        include_revoked=False,
        limit=WHOLE_LIST,
        cursor=None,
    )


@rst.delete("/v1/auth/api-keys/<key_uuid>")
@endpoint(guard=access_token, status=204)
def revoke_key(caller: Caller, key_uuid: Any) -> None:
    """Revoke a key; it is dead at once."""
    api_keys.revoke_key(account_id=caller.account.id, key_id=key_uuid, client=current_client())
