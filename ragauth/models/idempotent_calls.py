"""Idempotent calls: what a call with an Idempotency-Key was answered."""

from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import CursorResult, LargeBinary, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.base import delete_oldest


class IdempotentCall(Base):
    """One call. `name` is a digest of service key, method, path and Idempotency-Key.

    The answer is sealed under what the caller alone has. The row and what the call makes are
    committed together.
    """

    __tablename__ = "idempotent_calls"

    name: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    body_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int | None]
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(index=True)


class KnownCall(NamedTuple):
    """A call that was answered, as every committed one was; `answer` is sealed."""

    body_digest: bytes
    status: int
    answer: bytes


def find_call(name: bytes, *, since: datetime) -> KnownCall | None:
    """The call of this name, if it was made after a moment."""
    row = db.session.execute(
        select(IdempotentCall.body_digest, IdempotentCall.status, IdempotentCall.answer).where(
            IdempotentCall.name == name, IdempotentCall.at > since
        )
    ).one_or_none()
    return None if row is None else KnownCall._make(row)


def claim(name: bytes, *, body_digest: bytes, at: datetime, since: datetime) -> bool:
    """Insert the row of a call that begins; False if there is one that was made after `since`.

    Of two transactions that claim the same name at once, the second waits for the first, and gets
    False unless that one was rolled back. No error ends its transaction.
    """
    connection = db.session.connection()
    rows = cast("Table", IdempotentCall.__table__)
    connection.execute(delete(rows).where(rows.c.name == name, rows.c.at <= since))
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    result: CursorResult[Any] = connection.execute(
        dialect.insert(rows).on_conflict_do_nothing(),
        {"name": name, "body_digest": body_digest, "at": at},
        # SQLAlchemy does not keep it of an insert by itself.
        execution_options={"preserve_rowcount": True},
    )
    return result.rowcount == 1


def keep_answer(name: bytes, *, status: int, answer: bytes) -> None:
    """Write the sealed answer into the row that was claimed."""
    db.session.execute(
        update(IdempotentCall)
        .where(IdempotentCall.name == name)
        .values(status=status, answer=answer)
        .execution_options(synchronize_session=False)
    )


def give_up(name: bytes) -> None:
    """Delete the row that was claimed."""
    db.session.execute(
        delete(IdempotentCall)
        .where(IdempotentCall.name == name)
        .execution_options(synchronize_session=False)
    )


def delete_older(before: datetime, *, limit: int) -> int:
    """Delete the oldest calls before a moment; returns how many."""
    return delete_oldest(IdempotentCall.at, before, limit=limit)
