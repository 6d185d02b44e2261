"""Replacing a key by another."""

from typing import Any

from ragauth.blueprints.keys.blueprint import manage
from ragauth.errors import KeyAlreadyRotated, KeyIsManaged, UsageLimitExceeded
from ragauth.schemas.api_keys import IssuedKeySchema, RegeneratedKeySchema, RotationSchema
from ragauth.services.keys import rotation
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.services.sessions.sessions import Caller
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import access_token

TAG = "API keys"


@manage.post("/api-key/regenerate")
@endpoint(guard=access_token, data=RegeneratedKeySchema, errors=(UsageLimitExceeded,))
def regenerate_key(caller: Caller) -> IssuedKey:
    """Replace the account's primary key; the old one, and one in its grace before it, end at once.

    Where the old one had expired, the plan must have room.
    """
    return rotation.regenerate_primary_key(account_id=caller.account.id, client=current_client())


@manage.post("/api-keys/<key_id>/rotate")
@endpoint(
    guard=access_token,
    body=RotationSchema,
    data=IssuedKeySchema,
    status=201,
    errors=(KeyAlreadyRotated, KeyIsManaged),
)
def rotate_key(caller: Caller, body: dict[str, Any], key_id: Any) -> IssuedKey:
    """Replace a key; the old one works until the grace ends, or until the new one is replaced."""
    return rotation.rotate_key(
        account_id=caller.account.id, key_id=key_id, **body, client=current_client()
    )
