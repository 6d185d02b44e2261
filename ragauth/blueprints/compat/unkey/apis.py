"""Unkey's APIs: each is a keyspace, an operator's collection of keys."""

from typing import Any

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.key_schemas import UnkeyKey
from ragauth.blueprints.compat.unkey.schemas import (
    UnkeyApi,
    UnkeyApiId,
    UnkeyApiQuestion,
    UnkeyKeysQuestion,
    UnkeyNewApi,
    UnkeyNothing,
)
from ragauth.blueprints.compat.unkey.shown_keys import show
from ragauth.errors import NoSuchKeyspace
from ragauth.models import Keyspace
from ragauth.models.base import Page
from ragauth.models.reads.keys import KeyFacts
from ragauth.security.scopes import KEYS
from ragauth.services.keys import owned_keys
from ragauth.services.operators import keyspaces
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key


@unkey.post("/v2/apis.createApi")
@endpoint(guard=service_key(KEYS), body=UnkeyNewApi, data=UnkeyApiId)
def create_api(caller: KeyFacts, body: dict[str, Any]) -> Keyspace:  # noqa: ARG001
    """Make an API. Keys that belong to no identity belong to an account of its own."""
    return keyspaces.create_keyspace(name=body["name"], client=current_client())


@unkey.post("/v2/apis.getApi")
@endpoint(guard=service_key(KEYS), body=UnkeyApiQuestion, data=UnkeyApi, errors=(NoSuchKeyspace,))
def get_api(caller: KeyFacts, body: dict[str, Any]) -> Keyspace:  # noqa: ARG001
    """One API."""
    return keyspaces.get_keyspace(keyspace_id=body["api_id"])


@unkey.post("/v2/apis.listKeys")
@endpoint(guard=service_key(KEYS), body=UnkeyKeysQuestion, data=UnkeyKey, errors=(NoSuchKeyspace,))
def list_keys(caller: KeyFacts, body: dict[str, Any]) -> Page[dict[str, Any]]:  # noqa: ARG001
    """The keys of an API, newest first, or those of one of its identities."""
    keyspace = keyspaces.get_keyspace(keyspace_id=body["api_id"])
    page = owned_keys.list_keys(
        keyspace_id=keyspace.id,
        external_id=body["external_id"],
        limit=body["limit"],
        cursor=body["cursor"],
    )
    return Page([show(owned) for owned in page.items], page.next_cursor)


@unkey.post("/v2/apis.deleteApi")
@endpoint(
    guard=service_key(KEYS), body=UnkeyApiQuestion, data=UnkeyNothing, errors=(NoSuchKeyspace,)
)
def delete_api(caller: KeyFacts, body: dict[str, Any]) -> None:  # noqa: ARG001
    """Delete an API; all its keys are dead at once."""
    keyspaces.delete_keyspace(keyspace_id=body["api_id"], client=current_client())
