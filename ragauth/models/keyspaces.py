"""Keyspaces: the operator's collections of keys, each with an account of its own."""

import uuid
from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ForeignKey, Select, String, exists, select, update
from sqlalchemy.orm import Mapped, aliased, mapped_column

from ragauth.database import Base
from ragauth.extensions import db
from ragauth.models.api_keys import ApiKey
from ragauth.models.base import Page, paginate

# How many keys one statement reads.
_BATCH = 500


class Keyspace(Base):
    """A collection of keys. Those that belong to no customer belong to its own account."""

    __tablename__ = "keyspaces"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


def find_keyspace(keyspace_id: uuid.UUID) -> Keyspace | None:
    """One that is not deleted."""
    return db.session.scalar(_living().where(Keyspace.id == keyspace_id))


def has_keyspace(account_id: uuid.UUID) -> bool:
    """Whether the account is the own one of a keyspace that is not deleted."""
    return (
        db.session.scalar(_living().where(Keyspace.account_id == account_id).limit(1)) is not None
    )


def list_keyspaces(*, limit: int, cursor: uuid.UUID | None) -> Page[Keyspace]:
    return paginate(_living(), Keyspace.id, limit=limit, cursor=cursor)


def lock_keyspace(keyspace_id: uuid.UUID, *, to_delete: bool) -> Keyspace | None:
    """Lock one until the commit: to delete it, or so that nobody else does.

    Who adds keys takes this lock before that of any key, as who deletes the keyspace does.
    """
    query = _living().where(Keyspace.id == keyspace_id).with_for_update(read=not to_delete)
    return db.session.scalar(query.execution_options(populate_existing=True))


def _living() -> Select[Keyspace]:
    return select(Keyspace).where(Keyspace.deleted_at.is_(None))


def find_key_of_account(account_id: uuid.UUID) -> tuple[uuid.UUID, uuid.UUID] | None:
    """A live key of an account in a keyspace, and the keyspace's own account.

    A key in its grace goes with the one that replaced it, so it is none of these.
    """
    successor = aliased(ApiKey)
    goes_along = exists().where(successor.id == ApiKey.replaced_by, successor.revoked_at.is_(None))
    query = (
        select(ApiKey.id, Keyspace.account_id)
        .join(Keyspace, Keyspace.id == ApiKey.keyspace_id)
        .where(
            ApiKey.account_id == account_id,
            Keyspace.account_id != account_id,
            ApiKey.revoked_at.is_(None),
            ~goes_along,
        )
        .limit(1)
    )
    row = db.session.execute(query).first()
    return None if row is None else (row[0], row[1])


def end_keyspaces_of_account(account_id: uuid.UUID, *, now: datetime) -> None:
    """Mark the keyspaces of which this is the own account as deleted."""
    db.session.execute(
        update(Keyspace)
        .where(Keyspace.account_id == account_id, Keyspace.deleted_at.is_(None))
        .values(deleted_at=now)
    )


def find_of_keys(key_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """The keyspaces of those of these keys, dead or alive, that have one."""
    query = select(ApiKey.id, ApiKey.keyspace_id).where(
        ApiKey.id.in_(key_ids), ApiKey.keyspace_id.is_not(None)
    )
    return {key_id: found for key_id, found in db.session.execute(query) if found}


def revoke_keys(keyspace_id: uuid.UUID, *, now: datetime) -> Iterator[ApiKey]:
    """Revoke all its keys, in all accounts; gives those that were alive.

    The caller has locked the keyspace to delete it. The keys are locked in the order of their ids,
    as where usage is saved.
    """
    after = uuid.UUID(int=0)
    while True:
        query = _live_keys(keyspace_id).where(ApiKey.id > after)
        found = db.session.scalars(query.order_by(ApiKey.id).limit(_BATCH).with_for_update()).all()
        if not found:
            return
        ids = [key.id for key in found]
        after = ids[-1]
        db.session.execute(
            update(ApiKey).where(ApiKey.id.in_(ids)).values(revoked_at=now, is_primary=False)
        )
        yield from found
        # They would stay in memory until the commit.
        for key in found:
            db.session.expunge(key)


def _live_keys(keyspace_id: uuid.UUID) -> Select[ApiKey]:
    return select(ApiKey).where(ApiKey.keyspace_id == keyspace_id, ApiKey.revoked_at.is_(None))
