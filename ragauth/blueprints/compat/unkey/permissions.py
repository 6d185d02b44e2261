"""Permissions: scopes that somebody has described. There are no roles."""

from typing import Any

from marshmallow import fields

from ragauth.blueprints.compat.unkey.blueprint import unkey
from ragauth.blueprints.compat.unkey.fields import PERMISSION, PrefixedId, Slug
from ragauth.blueprints.compat.unkey.key_schemas import UnkeyPermission
from ragauth.blueprints.compat.unkey.named import IdOrName
from ragauth.blueprints.compat.unkey.schemas import UnkeyNothing, UnkeySchema
from ragauth.errors import NoSuchScope, ScopeTaken
from ragauth.models import DeclaredScope
from ragauth.models.base import Page
from ragauth.models.reads.keys import KeyFacts
from ragauth.schemas.base import RequestSchema
from ragauth.schemas.fields import Cursor, Text, Whole
from ragauth.security.scopes import KEYS
from ragauth.services.operators import declared_scopes
from ragauth.web.endpoint import endpoint
from ragauth.web.guards import service_key


def _title(**kwargs: Any) -> Text:
    return Text(minimum=1, maximum=512, **kwargs)


def _description(**kwargs: Any) -> Text:
    return Text(maximum=2048, **kwargs)


class UnkeyNewPermission(RequestSchema):
    name = _title(required=True)
    slug = Slug(required=True)
    description = _description(load_default=None)


class UnkeyPermissionQuestion(RequestSchema):
    permission = IdOrName(PERMISSION, required=True)


class UnkeyPermissionChanges(UnkeyPermissionQuestion):
    """What is left out stays; a description of null or of no characters goes."""

    name = _title()
    slug = Slug()
    description = _description(allow_none=True)


class UnkeyPermissionsQuestion(RequestSchema):
    limit = Whole(minimum=1, maximum=100, load_default=100)
    cursor = Cursor(load_default=None)
    search = Text(maximum=255, load_default=None)


class UnkeyPermissionId(UnkeySchema):
    permission_id = PrefixedId(PERMISSION, required=True, data_key="permissionId", attribute="id")


class UnkeyDescribedPermission(UnkeyPermission):
    """As a declared scope has it."""

    name = fields.String(required=True, attribute="title")
    slug = fields.String(required=True, attribute="name")


@unkey.post("/v2/permissions.createPermission")
@endpoint(
    guard=service_key(KEYS), body=UnkeyNewPermission, data=UnkeyPermissionId, errors=(ScopeTaken,)
)
def create_permission(caller: KeyFacts, body: dict[str, Any]) -> DeclaredScope:  # noqa: ARG001
    """Describe a permission. Keys may have others, too."""
    return declared_scopes.declare_scope(
        name=body["slug"], title=body["name"], description=body["description"] or None
    )


@unkey.post("/v2/permissions.getPermission")
@endpoint(
    guard=service_key(KEYS),
    body=UnkeyPermissionQuestion,
    data=UnkeyDescribedPermission,
    errors=(NoSuchScope,),
)
def get_permission(caller: KeyFacts, body: dict[str, Any]) -> DeclaredScope:  # noqa: ARG001
    """One permission, by its id or slug."""
    return declared_scopes.get_scope(body["permission"])


@unkey.post("/v2/permissions.listPermissions")
@endpoint(guard=service_key(KEYS), body=UnkeyPermissionsQuestion, data=UnkeyDescribedPermission)
def list_permissions(caller: KeyFacts, body: dict[str, Any]) -> Page[DeclaredScope]:  # noqa: ARG001
    """All permissions, newest first, or those that have a text in name, slug or description."""
    return declared_scopes.list_scopes(**body)


@unkey.post("/v2/permissions.updatePermission")
@endpoint(
    guard=service_key(KEYS),
    body=UnkeyPermissionChanges,
    data=UnkeyDescribedPermission,
    errors=(NoSuchScope, ScopeTaken),
)
def update_permission(caller: KeyFacts, body: dict[str, Any]) -> DeclaredScope:  # noqa: ARG001
    """Describe a permission anew; keys that have it, have it under a new slug at once."""
    ours = {"name": "title", "slug": "name", "description": "description"}
    changes = {ours[name]: body[name] or None for name in ours if name in body}
    return declared_scopes.change_scope(body["permission"], changes=changes)


@unkey.post("/v2/permissions.deletePermission")
@endpoint(
    guard=service_key(KEYS),
    body=UnkeyPermissionQuestion,
    data=UnkeyNothing,
    errors=(NoSuchScope,),
)
def delete_permission(caller: KeyFacts, body: dict[str, Any]) -> None:  # noqa: ARG001
    """Delete a permission; all keys that have it lose it at once."""
    declared_scopes.delete_scope(body["permission"])
