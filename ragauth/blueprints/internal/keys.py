"""Customers' keys on their behalf: what is made here is managed.

The services are the dashboard's own; these views find whose key it is.
"""

from typing import Any

from ragauth.blueprints.internal.blueprint import internal
from ragauth.errors import KeyAlreadyRotated, NoSuchAgent, UsageLimitExceeded
from ragauth.models import ApiKey
from ragauth.models.base import Page, Shown
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.api_keys import (
    IssuedKeySchema,
    KeyOfAnAccountSchema,
    KeyQuery,
    KeySchema,
    KeysOfAllQuery,
    KeysQuery,
    ManagedKeyChangesSchema,
    NewManagedKeySchema,
    RotationSchema,
)
from ragauth.security.scopes import KEYS
from ragauth.services.keys import api_keys, rotation
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.services.operators import accounts
from ragauth.services.operators.keys import find_customers_keys, find_owner
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

TAG = "Keys on behalf of customers"


@internal.get("/accounts/<account_id>/api-keys")
@endpoint(guard=service_key(KEYS), query=KeysQuery, data=KeySchema, errors=(NoSuchAgent,))
def list_account_keys(
    caller: KeyFacts,  # noqa: ARG001
    query: dict[str, Any],
    account_id: Any,
) -> Page[Shown]:
    """The account's keys: managed ones, its owner's and its agents'."""
    accounts.get_account(account_id=account_id)
    return api_keys.list_keys(account_id=account_id, **query)


@internal.post("/accounts/<account_id>/api-keys")
@endpoint(
    guard=service_key(KEYS),
    body=NewManagedKeySchema,
    data=IssuedKeySchema,
    status=201,
    errors=(NoSuchAgent, UsageLimitExceeded),
)
def create_account_key(
    caller: KeyFacts,  # noqa: ARG001
    body: dict[str, Any],
    account_id: Any,
) -> IssuedKey:
    """Make a managed key for the account; its raw form is shown this once."""
    agent_id = body.pop("agent_id", None)
    return api_keys.create_key(
        account_id=account_id,
        fields=body,
        agent_id=agent_id,
        client=current_client(),
        by_operator=True,
    )


@internal.get("/api-keys")
@endpoint(guard=service_key(KEYS), query=KeysOfAllQuery, data=KeyOfAnAccountSchema)
def find_keys(caller: KeyFacts, query: dict[str, Any]) -> Page[ApiKey]:  # noqa: ARG001
    """The keys of all accounts, or those whose prefix begins so."""
    return find_customers_keys(**query)


@internal.get("/api-keys/<key_id>")
@endpoint(guard=service_key(KEYS), query=KeyQuery, data=KeySchema)
def show_account_key(
    caller: KeyFacts,  # noqa: ARG001
    query: dict[str, Any],
    key_id: Any,
) -> ApiKey:
    """One key of any account."""
    return api_keys.show_key(account_id=find_owner(key_id), key_id=key_id, **query)


@internal.patch("/api-keys/<key_id>")
@endpoint(
    guard=service_key(KEYS),
    body=ManagedKeyChangesSchema,
    data=KeySchema,
    errors=(KeyAlreadyRotated, UsageLimitExceeded),
)
def change_account_key(
    caller: KeyFacts,  # noqa: ARG001
    body: dict[str, Any],
    key_id: Any,
) -> ApiKey:
    """Change what a key may do, a managed one or its owner's; takes effect on its next request."""
    return api_keys.change_key(
        account_id=find_owner(key_id),
        key_id=key_id,
        changes=body,
        client=current_client(),
        by_operator=True,
    )


@internal.delete("/api-keys/<key_id>")
@endpoint(guard=service_key(KEYS), status=204)
def revoke_account_key(caller: KeyFacts, key_id: Any) -> None:  # noqa: ARG001
    """Revoke a key of any account; it is dead at once."""
    api_keys.revoke_key(
        account_id=find_owner(key_id), key_id=key_id, client=current_client(), by_operator=True
    )


@internal.post("/api-keys/<key_id>/rotate")
@endpoint(
    guard=service_key(KEYS),
    body=RotationSchema,
    data=IssuedKeySchema,
    status=201,
    errors=(KeyAlreadyRotated,),
)
def rotate_account_key(
    caller: KeyFacts,  # noqa: ARG001
    body: dict[str, Any],
    key_id: Any,
) -> IssuedKey:
    """Replace a key by a managed one; the old one works until the grace ends."""
    return rotation.rotate_key(
        account_id=find_owner(key_id),
        key_id=key_id,
        **body,
        client=current_client(),
        by_operator=True,
    )
