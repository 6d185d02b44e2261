"""Keys of an account: made, listed, changed, revoked."""

from typing import Any

from ragauth.blueprints.keys.blueprint import manage
from ragauth.errors import KeyAlreadyRotated, KeyIsManaged, NoSuchAgent, UsageLimitExceeded
from ragauth.models import ApiKey
from ragauth.models.base import Page, Shown
from ragauth.schemas.api_keys import (
    IssuedKeySchema,
    KeyChangesSchema,
    KeyQuery,
    KeySchema,
    KeysQuery,
    NewKeySchema,
)
from ragauth.services.keys import api_keys
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.services.sessions.sessions import Caller
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token

TAG = "API keys"


@manage.get("/api-keys")
@endpoint(guard=access_token, query=KeysQuery, data=KeySchema, errors=(NoSuchAgent,), is_quick=True)
def list_keys(caller: Caller, query: dict[str, Any]) -> Page[Shown]:
    """The account's keys, those of its agents too."""
    return api_keys.list_keys(account_id=caller.account.id, **query)


@manage.post("/api-keys")
@endpoint(
    guard=access_token,
    body=NewKeySchema,
    data=IssuedKeySchema,
    status=201,
    errors=(NoSuchAgent, UsageLimitExceeded),
)
def create_key(caller: Caller, body: dict[str, Any]) -> IssuedKey:
    """Make a key; its raw form is shown this once."""
    agent_id = body.pop("agent_id", None)
    return api_keys.create_key(
        account_id=caller.account.id, fields=body, agent_id=agent_id, client=current_client()
    )


@manage.get("/api-keys/<key_id>")
@endpoint(guard=access_token, query=KeyQuery, data=KeySchema)
def show_key(caller: Caller, query: dict[str, Any], key_id: Any) -> ApiKey:
    """One key."""
    return api_keys.show_key(account_id=caller.account.id, key_id=key_id, **query)


@manage.patch("/api-keys/<key_id>")
@endpoint(
    guard=access_token,
    body=KeyChangesSchema,
    data=KeySchema,
    errors=(KeyAlreadyRotated, KeyIsManaged, UsageLimitExceeded),
)
def change_key(caller: Caller, body: dict[str, Any], key_id: Any) -> ApiKey:
    """Change what a key may do; takes effect on its next request."""
    return api_keys.change_key(
        account_id=caller.account.id, key_id=key_id, changes=body, client=current_client()
    )


@manage.delete("/api-keys/<key_id>")
@endpoint(guard=access_token, status=204)
def revoke_key(caller: Caller, key_id: Any) -> None:
    """Revoke a key; it is dead at once."""
    api_keys.revoke_key(account_id=caller.account.id, key_id=key_id, client=current_client())
