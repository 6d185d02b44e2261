"""Permissions of a key: scopes of the open form, one by one or all at once."""

from typing import Any

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.fields import PERMISSION
from ragauth.blueprints.compat.unkey.key_schemas import UnkeyKeyPermissions, UnkeyPermissions
from ragauth.errors import NoSuchKey, NoSuchScope
from ragauth.models import ApiKey, DeclaredScope
from ragauth.models.reads.keys import KeyFacts
from ragauth.security.identifiers import decode_id
from ragauth.security.scopes import KEYS
from ragauth.services.keys import key_scopes
from ragauth.services.operators import declared_scopes
from ragauth.services.operators.keys import find_owner
from ragauth.web.client import current_client
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key


@unkey.post("/v2/keys.addPermissions")
@endpoint(
    guard=service_key(KEYS), body=UnkeyKeyPermissions, data=UnkeyPermissions, errors=(NoSuchKey,)
)
def add_permissions(
    caller: KeyFacts,  # noqa: ARG001
    body: dict[str, Any],
) -> list[dict[str, Any]]:
    """Give a key further permissions; those that nobody has described are created."""
    return _shown(key_scopes.add_scopes(**_asked(body)))


@unkey.post("/v2/keys.removePermissions")
@endpoint(
    guard=service_key(KEYS), body=UnkeyKeyPermissions, data=UnkeyPermissions, errors=(NoSuchKey,)
)
def remove_permissions(
    caller: KeyFacts,  # noqa: ARG001
    body: dict[str, Any],
) -> list[dict[str, Any]]:
    """Take permissions from a key, by their slugs or ids."""
    return _shown(key_scopes.remove_scopes(**_asked(body)))


@unkey.post("/v2/keys.setPermissions")
@endpoint(
    guard=service_key(KEYS), body=UnkeyKeyPermissions, data=UnkeyPermissions, errors=(NoSuchKey,)
)
def set_permissions(
    caller: KeyFacts,  # noqa: ARG001
    body: dict[str, Any],
) -> list[dict[str, Any]]:
    """Give a key these permissions and no others."""
    return _shown(key_scopes.set_scopes(**_asked(body)))


def _asked(body: dict[str, Any]) -> dict[str, Any]:
    key_id = body["key_id"]
    return {
        "account_id": find_owner(key_id),
        "key_id": key_id,
        "scopes": [_slug(named) for named in body["permissions"]],
        "client": current_client(),
    }


def _slug(named: str) -> str:
    """The slug of a permission, which may be named by its id."""
    try:
        return declared_scopes.get_scope(decode_id(PERMISSION, named)).name
    except (ValueError, NoSuchScope):
        return named


def _shown(key: ApiKey) -> list[dict[str, Any]]:
    names = key_scopes.held_scopes(key)
    declared = declared_scopes.declare_missing(names)
    return [_permission(declared[name]) for name in names]


def _permission(scope: DeclaredScope) -> dict[str, Any]:
    return {
        "id": scope.id,
        "name": scope.title,
        "slug": scope.name,
        "description": scope.description,
    }
