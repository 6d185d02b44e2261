"""Declared scopes: services describe the scopes that they give to managed keys."""

import uuid
from collections.abc import Collection

from ragauth import clock, transaction
from ragauth.errors import NoSuchScope, ScopeTaken
from ragauth.extensions import db
from ragauth.models import DeclaredScope
from ragauth.models import declared_scopes as scope_rows
from ragauth.models.base import Page, flush
from ragauth.security.identifiers import new_uuid

_CONFLICTS = {"uq_declared_scopes_name": ScopeTaken}


def declare_scope(*, name: str, title: str, description: str | None) -> DeclaredScope:
    """Describe a scope; ScopeTaken if it was declared already, also by two calls at once.

    `name` has the form that the policy asks for.
    """
    with transaction.unit_of_work():
        scope = DeclaredScope(
            id=new_uuid(), name=name, title=title, description=description, created_at=clock.now()
        )
        db.session.add(scope)
        flush(_CONFLICTS)
    return scope


def declare_missing(names: Collection[str]) -> dict[str, DeclaredScope]:
    """The declarations of these scopes, by their names; those that are missing are made.

    A scope that is declared so is titled as it is named.
    """
    if not names:
        return {}
    with transaction.read_only():
        found = scope_rows.find_by_names(names)
    missing = [name for name in names if name not in found]
    if not missing:
        return found
    rows = [
        {"id": new_uuid(), "name": name, "title": name, "created_at": clock.now()}
        for name in sorted(missing)
    ]
    with transaction.unit_of_work():
        scope_rows.add_unless_declared(rows)
        return scope_rows.find_by_names(names)


def get_scope(named: uuid.UUID | str) -> DeclaredScope:
    """The scope with this id or name; raises NoSuchScope."""
    with transaction.read_only():
        return _get(named)


def list_scopes(*, search: str | None, limit: int, cursor: uuid.UUID | None) -> Page[DeclaredScope]:
    """All, or those whose name, title or description has a text; newest first."""
    with transaction.read_only():
        return scope_rows.list_scopes(search=search, limit=limit, cursor=cursor)


def change_scope(named: uuid.UUID | str, *, changes: dict[str, str | None]) -> DeclaredScope:
    """Change a declaration: `name`, in all managed keys too, `title` or `description`.

    Raises NoSuchScope, ScopeTaken.
    """
    with transaction.unit_of_work():
        scope = _get(named)
        old_name = scope.name
        for field, value in changes.items():
            setattr(scope, field, value)
        flush(_CONFLICTS)
        if scope.name != old_name:
            scope_rows.replace_in_managed_keys(old_name, scope.name)
    return scope


def delete_scope(named: uuid.UUID | str) -> int:
    """Delete a declaration, and take the scope from all managed keys; returns how many had it.

    Raises NoSuchScope.
    """
    with transaction.unit_of_work():
        scope = _get(named)
        db.session.delete(scope)
        return scope_rows.replace_in_managed_keys(scope.name, None)


def _get(named: uuid.UUID | str) -> DeclaredScope:
    if isinstance(named, uuid.UUID):
        scope = scope_rows.find_scope(named)
    else:
        scope = scope_rows.find_by_name(named)
    if scope is None:
        raise NoSuchScope
    return scope
