"""indexes for growth"""

from contextlib import closing
from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


class _Index(NamedTuple):
    name: str
    table: str
    columns: tuple[str, ...]
    where: str | None = None
    operators: str | None = None


_INDEXES = (
    _Index(
        "ix_usage_account_id_day_key_id_environment",
        "usage",
        ("account_id", "day", "key_id", "environment"),
    ),
    _Index(
        "ix_usage_day_key_id_account_id_environment",
        "usage",
        ("day", "key_id", "account_id", "environment"),
    ),
    _Index("ix_api_keys_prefix", "api_keys", ("prefix",), operators="text_pattern_ops"),
    _Index("ix_api_keys_expires_at", "api_keys", ("expires_at",), where="replaced_by IS NOT NULL"),
    _Index("ix_sessions_ended_at", "sessions", ("ended_at",), where="ended_at IS NOT NULL"),
    _Index("ix_sessions_rotated_at", "sessions", ("rotated_at",), where="ended_at IS NULL"),
    _Index("ix_events_name_id", "events", ("name", "id")),
    _Index("ix_outbox_account_id", "outbox", ("account_id",)),
    _Index("ix_accounts_plan_id", "accounts", ("plan", "id")),
    _Index("ix_accounts_status_id", "accounts", ("status", "id")),
)
# A table that this run has made or altered is locked by it: nobody else can use it meanwhile.
# Without a parameter: what is asked with one keeps its snapshot until the next question, and the
# index would wait for that.
_IS_LOCKED_BY_US = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid()"
    " AND relation = to_regclass('{table}') AND mode = 'AccessExclusiveLock')"
)
_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


def upgrade() -> None:
    bind = op.get_bind()
    for index in _INDEXES:
        is_sqlite = bind.dialect.name == "sqlite"
        if is_sqlite or bind.scalar(sa.text(_IS_LOCKED_BY_US.format(table=index.table))):
            where = None if index.where is None else sa.text(index.where)
            op.create_index(
                index.name,
                index.table,
                list(index.columns),
                sqlite_where=where,
                postgresql_where=where,
                postgresql_ops=dict.fromkeys(index.columns, index.operators)
                if index.operators
                else {},
            )
        else:
            _create_beside_writers(bind.engine, index)


def downgrade() -> None:
    for index in reversed(_INDEXES):
        op.drop_index(index.name, index.table)


def _create_beside_writers(engine: sa.Engine, index: _Index) -> None:
    """On a large table this takes a minute, in which the version before serves on.

    CONCURRENTLY cannot stand in a transaction, so a connection of its own does it. What an attempt
    that broke off has left is not valid, and is made again.
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
        found = driver.execute(_IS_VALID, [index.name]).fetchone()
        if found is not None and not found[0]:
            driver.execute(f"DROP INDEX CONCURRENTLY {index.name}")
        if found is None or not found[0]:
            operators = f" {index.operators}" if index.operators else ""
            columns = ", ".join(f"{column}{operators}" for column in index.columns)
            where = f" WHERE {index.where}" if index.where else ""
            driver.execute(
                f"CREATE INDEX CONCURRENTLY {index.name} ON {index.table} ({columns}){where}"
            )
