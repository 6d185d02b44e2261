"""API keys: only the digest of a key is stored, never the key."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    bindparam,
    false,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, aliased, mapped_column

from ragauth.database import Base, Json, Words
from ragauth.extensions import db
from ragauth.models.accounts import DELETED, Account
from ragauth.models.base import (
    Page,
    Shown,
    count_changed,
    count_rows,
    insert_many,
    page_statement,
    paginate,
    read_page,
)

SECRET = "secret"  # noqa: S105 - the name of a kind
PUBLISHABLE = "publishable"
SERVICE = "service"

LONGEST_PREFIX = 40
LONGEST_TEXT_BEFORE = 100
# The greatest code point: no text continues with a greater one.
_LAST_CHARACTER = "\U0010ffff"


class ApiKey(Base):
    """A key of an account or, without one, of a service. A null list means no restriction."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("kind IN ('secret', 'publishable', 'service')", name="kind"),
        CheckConstraint("environment IN ('live', 'test')", name="environment"),
        CheckConstraint("(kind = 'service') = (account_id IS NULL)", name="owner"),
        Index(None, "account_id", "id"),
        Index(
            "ix_api_keys_counted_as",
            "counted_as",
            sqlite_where=text("counted_as IS NOT NULL"),
            postgresql_where=text("counted_as IS NOT NULL"),
        ),
        Index(
            "ix_api_keys_is_imported",
            "is_imported",
            sqlite_where=text("is_imported"),
            postgresql_where=text("is_imported"),
        ),
        # On Postgres in byte order, whatever the collation, so that a prefix is a range of the
        # index.
        Index(None, "prefix", postgresql_ops={"prefix": "text_pattern_ops"}),
        # Finds keys whose grace was begun by a clock that was ahead.
        Index(
            "ix_api_keys_expires_at",
            "expires_at",
            sqlite_where=text("replaced_by IS NOT NULL"),
            postgresql_where=text("replaced_by IS NOT NULL"),
        ),
        Index(
            "ix_api_keys_text_before",
            "text_before",
            sqlite_where=text("text_before IS NOT NULL"),
            postgresql_where=text("text_before IS NOT NULL"),
        ),
        Index(
            "ix_api_keys_keyspace_id_id",
            "keyspace_id",
            "id",
            sqlite_where=text("keyspace_id IS NOT NULL"),
            postgresql_where=text("keyspace_id IS NOT NULL"),
        ),
        # Finds keys that have expired since somebody looked.
        Index(
            "ix_api_keys_ends_at",
            "expires_at",
            "id",
            sqlite_where=text("revoked_at IS NULL AND expires_at IS NOT NULL"),
            postgresql_where=text("revoked_at IS NULL AND expires_at IS NOT NULL"),
        ),
        # At most one live primary key for an account, even with simultaneous changes.
        Index(
            "uq_api_keys_account_id",
            "account_id",
            unique=True,
            sqlite_where=text("is_primary AND revoked_at IS NULL"),
            postgresql_where=text("is_primary AND revoked_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE")
    )
    # An agent's keys are revoked before the agent is deleted, so no live key loses its binding.
    agent_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("agents.id", ondelete="SET NULL"), index=True
    )
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    prefix: Mapped[str] = mapped_column(String(LONGEST_PREFIX))
    kind: Mapped[str] = mapped_column(String(20))
    environment: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str] | None] = mapped_column(Words())
    allowed_ips: Mapped[list[str] | None] = mapped_column(Words())
    allowed_origins: Mapped[list[str] | None] = mapped_column(Words())
    is_enabled: Mapped[bool]
    is_primary: Mapped[bool]
    # The digest came from another system, so the key may have any form.
    is_imported: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    replaced_by: Mapped[uuid.UUID | None]
    # The operator's: its owner may see and revoke it only.
    is_managed: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Limits of the key alone, as the contract has them; None is no limit beside the account's.
    limits: Mapped[list[dict[str, Any]] | None] = mapped_column(Json())
    # The owner's `metadata`, a name that SQLAlchemy's models use themselves.
    own_data: Mapped[dict[str, Any] | None] = mapped_column(Json())
    # The key whose counts this one goes on with, because it replaced that one; None is itself.
    counted_as: Mapped[uuid.UUID | None]
    # The operator's collection that it belongs to (`keyspaces`).
    keyspace_id: Mapped[uuid.UUID | None]
    # Another system hashed only the part of the key after this text (`key_format.digest_after`).
    text_before: Mapped[str | None] = mapped_column(String(LONGEST_TEXT_BEFORE))
    # When its owner was last told that it was found in public.
    leak_told_at: Mapped[datetime | None]

    @property
    def is_active(self) -> bool:
        return self.is_enabled and self.revoked_at is None


def find_key(
    account_id: uuid.UUID, key_id: uuid.UUID, *, include_revoked: bool = False
) -> ApiKey | None:
    """The account's key; another account's is not found."""
    query = select(ApiKey).where(ApiKey.id == key_id, ApiKey.account_id == account_id)
    if not include_revoked:
        query = query.where(ApiKey.revoked_at.is_(None))
    return db.session.scalar(query)


def list_by_prefix(
    prefix: str, *, is_whole: bool, include_revoked: bool, limit: int, cursor: uuid.UUID | None
) -> Page[ApiKey]:
    """Keys of all accounts and services whose display prefix begins with this."""
    query = _with_prefix(prefix, is_whole=is_whole, include_revoked=include_revoked)
    return paginate(query, ApiKey.id, limit=limit, cursor=cursor)


def list_customers_by_prefix(
    prefix: str, *, include_revoked: bool, limit: int, cursor: uuid.UUID | None
) -> Page[ApiKey]:
    """Keys of accounts that are not deleted, whose display prefix begins with this."""
    query = _with_prefix(prefix, is_whole=False, include_revoked=include_revoked)
    query = query.join(Account, Account.id == ApiKey.account_id).where(Account.status != DELETED)
    return paginate(query, ApiKey.id, limit=limit, cursor=cursor)


def count_by_prefix(prefix: str, *, include_revoked: bool) -> int:
    """How many keys `list_by_prefix` finds."""
    return count_rows(_with_prefix(prefix, is_whole=False, include_revoked=include_revoked))


def _with_prefix(prefix: str, *, is_whole: bool, include_revoked: bool) -> Select[ApiKey]:
    query = select(ApiKey).where(ApiKey.prefix == prefix if is_whole else _begins_with(prefix))
    return query if include_revoked else query.where(ApiKey.revoked_at.is_(None))


def _begins_with(prefix: str) -> ColumnElement[bool]:
    """A range of the index, in byte order.

    Not LIKE, which has wildcards, and ignores case on SQLite.
    """
    is_sqlite = db.session.connection().dialect.name == "sqlite"
    at_least, below = (">=", "<") if is_sqlite else ("~>=~", "~<~")
    return and_(
        ApiKey.prefix.bool_op(at_least)(prefix),
        ApiKey.prefix.bool_op(below)(prefix + _LAST_CHARACTER),
    )


def find_primary(account_id: uuid.UUID) -> ApiKey | None:
    return db.session.scalar(
        select(ApiKey).where(
            ApiKey.account_id == account_id, ApiKey.is_primary, ApiKey.revoked_at.is_(None)
        )
    )


def list_keys(
    account_id: uuid.UUID,
    *,
    agent_id: uuid.UUID | None,
    include_revoked: bool,
    idle_since: datetime | None,
    limit: int,
    cursor: uuid.UUID | None,
) -> Page[Shown]:
    """Keys as plain rows to be shown, with `is_active` besides the columns."""
    statement = _page_of_account(
        of_agent=agent_id is not None,
        include_revoked=include_revoked,
        is_idle=idle_since is not None,
        goes_on=cursor is not None,
    )
    bounds = {"agent_id": agent_id, "idle_since": idle_since}
    given = {name: value for name, value in bounds.items() if value is not None}
    return read_page(statement, limit=limit, cursor=cursor, account_id=account_id, **given)


@cache
def _page_of_account(
    *, of_agent: bool, include_revoked: bool, is_idle: bool, goes_on: bool
) -> Select[*tuple[Any, ...]]:
    keys = cast("Table", ApiKey.__table__).c
    is_active = (keys.is_enabled & keys.revoked_at.is_(None)).label("is_active")
    query = select(*keys, is_active).where(keys.account_id == bindparam("account_id"))
    if not include_revoked:
        query = query.where(keys.revoked_at.is_(None))
    if of_agent:
        query = query.where(keys.agent_id == bindparam("agent_id"))
    if is_idle:
        used_at = func.coalesce(keys.last_used_at, keys.created_at)
        query = query.where(used_at <= bindparam("idle_since"))
    return page_statement(query, keys.id, goes_on=goes_on)


def count_keys(account_id: uuid.UUID, *, include_revoked: bool) -> int:
    return count_rows(_of_account(account_id, include_revoked=include_revoked))


def list_all_live(account_id: uuid.UUID) -> list[ApiKey]:
    """The account's keys that are not revoked."""
    return list(db.session.scalars(_of_account(account_id, include_revoked=False)))


def find_owner(key_id: uuid.UUID) -> uuid.UUID | None:
    """The account that a key belongs to; None for a service's own key, and for no key."""
    return db.session.scalar(select(ApiKey.account_id).where(ApiKey.id == key_id))


def _of_account(account_id: uuid.UUID, *, include_revoked: bool) -> Select[ApiKey]:
    query = select(ApiKey).where(ApiKey.account_id == account_id)
    return query if include_revoked else query.where(ApiKey.revoked_at.is_(None))


def find_known_digests(digests: Collection[bytes]) -> set[bytes]:
    """Which of the digests already belong to a key."""
    return set(db.session.scalars(select(ApiKey.digest).where(ApiKey.digest.in_(digests))))


def list_predecessors(key: ApiKey, *, now: datetime) -> list[ApiKey]:
    """The keys in their grace that this one replaced."""
    return list(
        db.session.scalars(
            select(ApiKey).where(
                ApiKey.account_id == key.account_id,
                ApiKey.replaced_by == key.id,
                _is_alive(ApiKey, now),
            )
        )
    )


def _is_alive(key: type[ApiKey], now: datetime) -> ColumnElement[bool]:
    return key.revoked_at.is_(None) & (key.expires_at.is_(None) | (key.expires_at > now))


def add_unless_known(keys: Sequence[dict[str, Any]]) -> set[uuid.UUID]:
    """Insert the keys with a new digest; returns their ids."""
    is_sqlite = db.session.connection().dialect.name == "sqlite"
    insert = sqlite.insert if is_sqlite else postgresql.insert
    statement = insert(cast("Table", ApiKey.__table__))
    insert_many(statement.on_conflict_do_nothing(index_elements=["digest"]), keys)
    ids = [key["id"] for key in keys]
    return set(db.session.scalars(select(ApiKey.id).where(ApiKey.id.in_(ids))))


def count_all_live(*, now: datetime) -> int:
    """How many keys of all accounts and services are live."""
    return count_rows(select(ApiKey.id).where(_is_alive(ApiKey, now)))


def list_replaced_after(latest: datetime, *, now: datetime) -> list[tuple[ApiKey, ApiKey]]:
    """Lock and return the keys whose grace was begun by a clock that was ahead, with successors."""
    successor = aliased(ApiKey)
    query = (
        select(ApiKey, successor)
        .join(successor, successor.id == ApiKey.replaced_by)
        .where(
            ApiKey.replaced_by.is_not(None),
            ApiKey.revoked_at.is_(None),
            ApiKey.expires_at > now,
            successor.created_at > latest,
        )
        .order_by(ApiKey.id)
        .with_for_update()
    )
    return [(old, new) for old, new in db.session.execute(query)]


def revoke_key(key_id: uuid.UUID, *, now: datetime) -> bool:
    """Revoke a key; False if it was revoked already."""
    changed = count_changed(
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=now, is_primary=False)
    )
    return changed > 0


def note_told_of_leak(key_id: uuid.UUID, *, now: datetime, unless_after: datetime) -> bool:
    """Note that the key's owner is told of a leak now; False if that was done after a time.

    A time to come was noted by a clock that was ahead, and does not count.
    """
    told_at = ApiKey.leak_told_at
    changed = count_changed(
        update(ApiKey)
        .where(ApiKey.id == key_id, told_at.is_(None) | (told_at <= unless_after) | (told_at > now))
        .values(leak_told_at=now)
    )
    return changed > 0


def revoke_keys_of_agent(agent_id: uuid.UUID, *, now: datetime) -> list[ApiKey]:
    """Returns those that were alive."""
    return _revoke_all(ApiKey.agent_id == agent_id, now=now)


def revoke_keys_of_account(account_id: uuid.UUID, *, now: datetime) -> list[ApiKey]:
    """Returns those that were alive."""
    return _revoke_all(ApiKey.account_id == account_id, now=now)


def revoke_own_keys(account_id: uuid.UUID, *, now: datetime) -> list[ApiKey]:
    """Revoke the account's keys, managed ones aside; returns those that were alive."""
    return _revoke_all((ApiKey.account_id == account_id) & ~ApiKey.is_managed, now=now)


def _revoke_all(condition: ColumnElement[bool], *, now: datetime) -> list[ApiKey]:
    alive = condition & ApiKey.revoked_at.is_(None)
    # Lock in the same order as when usage is saved, so that the two cannot deadlock.
    locked = select(ApiKey).where(alive).order_by(ApiKey.id).with_for_update()
    keys = list(db.session.scalars(locked))
    db.session.execute(update(ApiKey).where(alive).values(revoked_at=now, is_primary=False))
    return keys


def forget_details(account_id: uuid.UUID) -> None:
    """Delete what may be personal in keys: names, metadata, allowed addresses and origins."""
    db.session.execute(
        update(ApiKey)
        .where(ApiKey.account_id == account_id)
        .values(name="", own_data=None, allowed_ips=[], allowed_origins=[])
    )
