"""Declared scopes: names of scopes that a service of the operator's has described."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import String, Table, Text, func, literal, select, type_coerce, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.api_keys import ApiKey
from ragauth.models.base import Page, count_changed, paginate


class DeclaredScope(Base):
    """A scope that managed keys may have, beside those of the policy file."""

    __tablename__ = "declared_scopes"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    title: Mapped[str] = mapped_column(String(512))
    description: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


def find_scope(scope_id: uuid.UUID) -> DeclaredScope | None:
    return db.session.get(DeclaredScope, scope_id)


def find_by_name(name: str) -> DeclaredScope | None:
    return db.session.scalar(select(DeclaredScope).where(DeclaredScope.name == name))


def find_by_names(names: Collection[str]) -> dict[str, DeclaredScope]:
    found = db.session.scalars(select(DeclaredScope).where(DeclaredScope.name.in_(names)))
    return {scope.name: scope for scope in found}


def add_unless_declared(scopes: Sequence[dict[str, Any]]) -> None:
    """Insert those whose names are new."""
    is_sqlite = db.session.connection().dialect.name == "sqlite"
    insert = sqlite.insert if is_sqlite else postgresql.insert
    statement = insert(cast("Table", DeclaredScope.__table__)).values(scopes)
    db.session.execute(statement.on_conflict_do_nothing(index_elements=["name"]))


def list_scopes(*, search: str | None, limit: int, cursor: uuid.UUID | None) -> Page[DeclaredScope]:
    """All, or those whose name, title or description has a text, in upper or lower case."""
    query = select(DeclaredScope)
    if search is not None:
        shown = (DeclaredScope.name, DeclaredScope.title, DeclaredScope.description)
        text = shown[0] + " " + shown[1] + " " + func.coalesce(shown[2], "")
        query = query.where(func.lower(text).contains(search.lower(), autoescape=True))
    return paginate(query, DeclaredScope.id, limit=limit, cursor=cursor)


def replace_in_managed_keys(name: str, new_name: str | None) -> int:
    """Rename a scope in the lists of all live managed keys, or take it out; returns in how many.

    Reads all keys: rare.
    """
    new = " " if new_name is None else f" {new_name} "
    spaced = literal(" ") + func.coalesce(type_coerce(ApiKey.scopes, Text), "") + literal(" ")
    has_it = (
        ApiKey.is_managed,
        ApiKey.revoked_at.is_(None),
        spaced.contains(f" {name} ", autoescape=True),
    )
    # Lock in the same order as when usage is saved, so that the two cannot deadlock.
    db.session.execute(select(ApiKey.id).where(*has_it).order_by(ApiKey.id).with_for_update())
    # A list that has the new name already has it once.
    others = spaced if new_name is None else func.replace(spaced, new, " ")
    replaced = func.trim(func.replace(others, f" {name} ", new))
    return count_changed(
        update(ApiKey)
        .where(*has_it)
        .values({ApiKey.scopes: replaced})
        .execution_options(synchronize_session=False)
    )
