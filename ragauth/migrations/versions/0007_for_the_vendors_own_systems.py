"""keys on behalf of customers, webhooks, repeated calls"""

from contextlib import closing
from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


class _Index(NamedTuple):
    name: str
    table: str
    columns: tuple[str, ...]
    where: str | None = None
    is_unique: bool = False


_INDEXES = (
    _Index(
        "ix_api_keys_keyspace_id_id", "api_keys", ("keyspace_id", "id"), "keyspace_id IS NOT NULL"
    ),
    _Index(
        "ix_api_keys_ends_at",
        "api_keys",
        ("expires_at", "id"),
        "revoked_at IS NULL AND expires_at IS NOT NULL",
    ),
    _Index("ix_api_keys_text_before", "api_keys", ("text_before",), "text_before IS NOT NULL"),
    _Index("ix_accounts_id_of_named", "accounts", ("id",), "external_id IS NOT NULL"),
    _Index("ix_events_unplaced", "events", ("id",), "place IS NULL"),
    _Index("uq_events_place", "events", ("place",), "place IS NOT NULL", is_unique=True),
    _Index("ix_events_name_place", "events", ("name", "place"), "place IS NOT NULL"),
    _Index("ix_outbox_webhook_id_next_attempt_at", "outbox", ("webhook_id", "next_attempt_at")),
)
# By the table, and by the definition that Postgres is told.
_COLUMNS = {
    "api_keys": {
        "keyspace_id uuid": sa.Column("keyspace_id", sa.Uuid(), nullable=True),
        "text_before varchar(100)": sa.Column("text_before", sa.String(length=100), nullable=True),
        "leak_told_at timestamptz": sa.Column(
            "leak_told_at", sa.DateTime(timezone=True), nullable=True
        ),
    },
    "accounts": {},
    "events": {"place bigint": sa.Column("place", sa.BigInteger(), nullable=True)},
    "outbox": {"webhook_id uuid": sa.Column("webhook_id", sa.Uuid(), nullable=True)},
}
# As in 0005: a table that this run has made or altered is locked by it. Without a parameter, or the
# index would wait for the snapshot that the question keeps.
_IS_LOCKED_BY_US = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid()"
    " AND relation = to_regclass('{table}') AND mode = 'AccessExclusiveLock')"
)
_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


def upgrade() -> None:
    # First of all: while indexes of large tables are made, this run must hold no lock.
    bind = op.get_bind()
    for table, columns in _COLUMNS.items():
        indexes = [index for index in _INDEXES if index.table == table]
        if bind.dialect.name == "sqlite" or bind.scalar(
            sa.text(_IS_LOCKED_BY_US.format(table=table))
        ):
            _add_here(table, columns, indexes)
        else:
            _add_beside_writers(bind.engine, table, columns, indexes)
    op.add_column(
        "installation", sa.Column("expired_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("installation", sa.Column("expired_key_id", sa.Uuid(), nullable=True))
    op.add_column(
        "installation",
        sa.Column("last_place", sa.BigInteger(), server_default="0", nullable=False),
    )
    _let_accounts_have_no_address()
    op.create_table(
        "keyspaces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_keyspaces_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyspaces")),
    )
    op.create_index(op.f("ix_keyspaces_account_id"), "keyspaces", ["account_id"])
    op.create_table(
        "declared_scopes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("title", sa.String(length=512), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declared_scopes")),
        sa.UniqueConstraint("name", name=op.f("uq_declared_scopes_name")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("cause", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_deliveries_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        op.f("ix_webhook_deliveries_webhook_id_id"), "webhook_deliveries", ["webhook_id", "id"]
    )
    op.create_table(
        "idempotent_calls",
        sa.Column("name", sa.LargeBinary(length=32), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_idempotent_calls")),
    )
    op.create_index(op.f("ix_idempotent_calls_at"), "idempotent_calls", ["at"])


def downgrade() -> None:
    for table in (
        "idempotent_calls",
        "webhook_deliveries",
        "webhooks",
        "declared_scopes",
        "keyspaces",
    ):
        op.drop_table(table)
    _replace_check(_ONLY_DELETED_HAS_NONE)
    for index in reversed(_INDEXES):
        op.drop_index(index.name, index.table)
    for table, column in (
        ("outbox", "webhook_id"),
        ("installation", "expired_key_id"),
        ("installation", "last_place"),
        ("installation", "expired_until"),
        ("events", "place"),
        ("api_keys", "leak_told_at"),
        ("api_keys", "text_before"),
        ("api_keys", "keyspace_id"),
    ):
        op.drop_column(table, column)


_ONLY_DELETED_HAS_NONE = "(status = 'deleted') = (email_canonical IS NULL)"
_DELETED_HAS_NONE = "status <> 'deleted' OR email_canonical IS NULL"


def _let_accounts_have_no_address() -> None:
    """A weaker check: the version before writes nothing that it refuses."""
    _replace_check(_DELETED_HAS_NONE)


def _replace_check(new: str) -> None:
    name = op.f("ck_accounts_deleted_is_anonymous")
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(name, "accounts", type_="check")
        op.create_check_constraint(name, "accounts", new)
        return
    # SQLite copies the table.
    with op.batch_alter_table("accounts", recreate="always") as batch_op:
        batch_op.drop_constraint(name, type_="check")
        batch_op.create_check_constraint(name, new)


def _add_here(table: str, columns: dict[str, sa.Column], indexes: list[_Index]) -> None:
    for column in columns.values():
        op.add_column(table, column)
    for index in indexes:
        where = None if index.where is None else sa.text(index.where)
        op.create_index(
            index.name,
            table,
            list(index.columns),
            unique=index.is_unique,
            sqlite_where=where,
            postgresql_where=where,
        )


def _add_beside_writers(
    engine: sa.Engine, table: str, columns: dict[str, sa.Column], indexes: list[_Index]
) -> None:
    """As in 0005: not in a transaction; what an attempt that broke off has left is made again.

    The columns too: CONCURRENTLY knows only those that are committed.
    """
    pooled = engine.raw_connection()
    driver = pooled.driver_connection
    # Not to be used again: it is set otherwise.
    pooled.detach()
    with closing(pooled):
        if not driver.autocommit:
            # Not behind a pooler, where a session is another's afterwards.
            driver.autocommit = True
            driver.execute("SET statement_timeout = 0")
            driver.execute("SET lock_timeout = 0")
        for definition in columns:
            driver.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {definition}")
        for index in indexes:
            found = driver.execute(_IS_VALID, [index.name]).fetchone()
            if found is not None and not found[0]:
                driver.execute(f"DROP INDEX CONCURRENTLY {index.name}")
            if found is None or not found[0]:
                unique = "UNIQUE " if index.is_unique else ""
                where = f" WHERE {index.where}" if index.where else ""
                driver.execute(
                    f"CREATE {unique}INDEX CONCURRENTLY {index.name} ON {table}"
                    f" ({', '.join(index.columns)}){where}"
                )
