"""Signing keys: the ring that tokens are signed with, shared by every worker of every host."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import JSON, LargeBinary, String, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import count_changed

# The id of the first key's row is fixed, so that two processes starting at once make one key.
FIRST = uuid.UUID(int=0)


class SigningKey(Base):
    """A key pair. Its private half is sealed (`ragauth.security.sealing`), empty once retired.

    It signs from `signs_from` on until a younger one does, and verifies until `retired_at`.
    """

    __tablename__ = "signing_keys"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kid: Mapped[str] = mapped_column(String(64), unique=True)
    algorithm: Mapped[str] = mapped_column(String(10))
    public_jwk: Mapped[dict[str, Any]] = mapped_column(JSON)
    sealed_private_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    signs_from: Mapped[datetime]
    retired_at: Mapped[datetime | None]


def insert_first(**values: Any) -> None:
    """Insert the first key unless there is one; waits for another that is doing so."""
    connection = db.session.connection()
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        insert(cast("Table", SigningKey.__table__))
        .values(id=FIRST, **values)
        .on_conflict_do_nothing(index_elements=["id"])
    )


def lock_all() -> Sequence[SigningKey]:
    """All keys, the oldest first, locked until the transaction ends."""
    return db.session.scalars(
        select(SigningKey).order_by(SigningKey.signs_from, SigningKey.kid).with_for_update()
    ).all()


def list_all() -> Sequence[SigningKey]:
    """All keys, oldest first."""
    return db.session.scalars(
        select(SigningKey).order_by(SigningKey.signs_from, SigningKey.kid)
    ).all()


def delete_retired(*, before: datetime, limit: int) -> int:
    """Delete keys that were retired before a moment; returns how many.

    The first key's row stays for good: without it another first key would be made, and sign at
    once.
    """
    retired = (
        select(SigningKey.id)
        .where(SigningKey.retired_at < before, SigningKey.id != FIRST)
        .limit(limit)
    )
    return count_changed(delete(SigningKey).where(SigningKey.id.in_(retired)))
