"""Keys, as Unkey's clients make, change and revoke them. What is made here is managed."""

from functools import partial
from typing import Any
from uuid import UUID

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.key_schemas import (
    UnkeyCreditOperation,
    UnkeyDeletedKey,
    UnkeyIssuedKey,
    UnkeyKey,
    UnkeyKeyChanges,
    UnkeyNewKey,
    UnkeyPresentedKey,
    UnkeyReroll,
    UnkeyShownCredits,
    UnkeyShownKeyQuestion,
)
from ragauth.blueprints.compat.unkey.key_terms import (
    limit_of,
    read_credits,
    show_credits,
    with_ratelimits,
)
from ragauth.blueprints.compat.unkey.schemas import UnkeyNothing
from ragauth.blueprints.compat.unkey.shown_keys import show
from ragauth.errors import (
    Conflict,
    InvalidRequest,
    KeyAlreadyRotated,
    KeyStays,
    NoSuchKey,
    NoSuchKeyspace,
)
from ragauth.extensions import settings
from ragauth.models.api_keys import SECRET
from ragauth.models.owned_keys import OwnedKey
from ragauth.models.reads.keys import KeyFacts
from ragauth.security.identifiers import new_uuid
from ragauth.security.key_format import LIVE, is_possible_prefix
from ragauth.security.scopes import KEYS
from ragauth.services.keys import allowances, api_keys, moving, owned_keys, rotation
from ragauth.services.keys.api_keys import IssuedKey
from ragauth.services.keys.own_counts import counted_alone
from ragauth.services.operators import customers, declared_scopes, keyspaces
from ragauth.services.operators.keys import find_owner
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key

_NO_PREFIX = "Must be 1 to 16 of a-z, A-Z, 0-9, `_` and `-`, and not what keys begin with anyway"
# Of what a change may name, that which a key has under another name, too.
_CHANGES = {
    "name": "name",
    "meta": "metadata",
    "expires": "expires_at",
    "enabled": "is_active",
    "permissions": "scopes",
}


@unkey.post("/v2/keys.createKey")
@endpoint(guard=service_key(KEYS), body=UnkeyNewKey, data=UnkeyIssuedKey, errors=(NoSuchKeyspace,))
def create_key(caller: KeyFacts, body: dict[str, Any]) -> IssuedKey:  # noqa: ARG001
    """Make a key in an API; its raw form is shown this once.

    With an `externalId` it belongs to the identity of this name, which is made if there is none.
    """
    prefix = body.get("prefix")
    if prefix is not None and not is_possible_prefix(prefix, settings().key_brand):
        raise InvalidRequest([{"path": ["prefix"], "message": _NO_PREFIX}])
    allowance = read_credits(body["credits"])
    limits = [*allowances.limits_of(allowance), *map(limit_of, body["ratelimits"])]
    keyspace = keyspaces.get_keyspace(keyspace_id=body["api_id"])
    account_id = keyspace.account_id
    if body["external_id"] is not None:
        account_id = owner_named(body["external_id"])
    declared_scopes.declare_missing(body["permissions"])
    key_id = new_uuid()
    allowances.begin(counted_alone(account_id, key_id, LIVE), allowance)
    return api_keys.create_key(
        account_id=account_id,
        fields={
            "key_id": key_id,
            "kind": SECRET,
            "environment": LIVE,
            "name": body["name"],
            "scopes": body["permissions"],
            "expires_at": body["expires"],
            "is_enabled": body["enabled"],
            "limits": limits or None,
            "metadata": body["meta"],
            "unbranded_tag": prefix,
            "keyspace_id": keyspace.id,
        },
        agent_id=None,
        client=current_client(),
        by_operator=True,
    )


@unkey.post("/v2/keys.getKey")
@endpoint(guard=service_key(KEYS), body=UnkeyShownKeyQuestion, data=UnkeyKey, errors=(NoSuchKey,))
def get_key(caller: KeyFacts, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """One key of any account."""
    return show(owned_keys.get_key(key_id=body["key_id"]))


@unkey.post("/v2/keys.whoami")
@endpoint(guard=service_key(KEYS), body=UnkeyPresentedKey, data=UnkeyKey, errors=(NoSuchKey,))
def who_am_i(caller: KeyFacts, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """The key that was presented to the calling service; it is not checked."""
    owned = owned_keys.find_presented(body["key"])
    if owned is None or owned.key.revoked_at is not None:
        raise NoSuchKey
    return show(owned)


@unkey.post("/v2/keys.updateKey")
@endpoint(
    guard=service_key(KEYS),
    body=UnkeyKeyChanges,
    data=UnkeyNothing,
    errors=(NoSuchKey, KeyAlreadyRotated, KeyStays),
)
def update_key(caller: KeyFacts, body: dict[str, Any]) -> None:  # noqa: ARG001
    """Change a key, from its next check on; with an `externalId` it belongs to another identity.

    A null takes away what it names. Without an identity a key belongs to its API.
    """
    owned = owned_keys.get_key(key_id=body["key_id"])
    key, account = owned
    changes = {ours: body[theirs] for theirs, ours in _CHANGES.items() if theirs in body}
    if "name" in changes:
        changes["name"] = changes["name"] or ""
    change_limits = None
    if "ratelimits" in body:
        change_limits = partial(with_ratelimits, ratelimits=body["ratelimits"])
    allowance = None
    if "credits" in body:
        allowance = read_credits(body["credits"], allowances.allowance_of(owned))
    declared_scopes.declare_missing(body.get("permissions", ()))
    client = current_client()
    if changes or change_limits:
        api_keys.change_key(
            account_id=account.id,
            key_id=key.id,
            changes=changes,
            client=client,
            by_operator=True,
            change_limits=change_limits,
        )
    if "external_id" in body:
        to_account_id = _owner_of(body["external_id"], owned)
        moving.move_key(
            account_id=account.id, key_id=key.id, to_account_id=to_account_id, client=client
        )
    if "credits" in body:
        owned = owned_keys.get_key(key_id=key.id)
        allowances.set_allowance(owned=owned, allowance=allowance, client=client)


@unkey.post("/v2/keys.deleteKey")
@endpoint(guard=service_key(KEYS), body=UnkeyDeletedKey, data=UnkeyNothing, errors=(NoSuchKey,))
def delete_key(caller: KeyFacts, body: dict[str, Any]) -> None:  # noqa: ARG001
    """Revoke a key; it is dead at once, and for good."""
    key_id = body["key_id"]
    api_keys.revoke_key(
        account_id=find_owner(key_id), key_id=key_id, client=current_client(), by_operator=True
    )


@unkey.post("/v2/keys.rerollKey")
@endpoint(
    guard=service_key(KEYS),
    body=UnkeyReroll,
    data=UnkeyIssuedKey,
    errors=(NoSuchKey, KeyAlreadyRotated),
)
def reroll_key(caller: KeyFacts, body: dict[str, Any]) -> IssuedKey:  # noqa: ARG001
    """Replace a key; the old one works as long as `expiration` says, in whole seconds.

    What the old one may use and has used goes on in the new one.
    """
    key_id = body["key_id"]
    return rotation.rotate_key(
        account_id=find_owner(key_id),
        key_id=key_id,
        grace_seconds=-(-body["expiration"] // 1000),
        client=current_client(),
        by_operator=True,
    )


@unkey.post("/v2/keys.updateCredits")
@endpoint(
    guard=service_key(KEYS),
    body=UnkeyCreditOperation,
    data=UnkeyShownCredits,
    errors=(NoSuchKey, Conflict),
)
def update_credits(caller: KeyFacts, body: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Set, raise or lower what is left of a key's credits; set to null there is no limit."""
    owned = owned_keys.get_key(key_id=body["key_id"])
    operation, value = body["operation"], body["value"]
    if operation == "set":
        allowance = read_credits({"remaining": value}, allowances.allowance_of(owned))
        allowances.set_allowance(owned=owned, allowance=allowance, client=current_client())
    elif value is None:
        raise InvalidRequest([{"path": ["value"], "message": "Required"}])
    else:
        amount = value if operation == "increment" else -value
        allowances.add(owned=owned, amount=amount, client=current_client())
    now = allowances.allowance_of(owned_keys.get_key(key_id=owned.key.id))
    return show_credits(now) or {"remaining": None}


def owner_named(external_id: str) -> UUID:
    """The account of an identity, which is made if there is none."""
    return customers.find_or_create_customer(external_id=external_id, client=current_client()).id


def _owner_of(external_id: str | None, owned: OwnedKey) -> UUID:
    """The account that a key is moved to: that of an identity, or of its API."""
    if external_id is not None:
        return owner_named(external_id)
    if owned.key.keyspace_id is None:
        raise KeyStays("The key is in no API, so it must belong to an identity")
    return keyspaces.get_keyspace(keyspace_id=owned.key.keyspace_id).account_id
