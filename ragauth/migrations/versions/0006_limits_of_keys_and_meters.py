"""limits of keys and meters"""

from contextlib import closing

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BY_ACCOUNT = "ix_usage_day_account_id_environment"
_COLUMNS = ("day", "account_id", "environment")
# As in 0005: a table that this run has made or altered is locked by it. Without a parameter, or the
# index would wait for the snapshot that the question keeps.
_IS_LOCKED_BY_US = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid()"
    " AND relation = to_regclass('usage') AND mode = 'AccessExclusiveLock')"
)
_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


def upgrade() -> None:
    # First of all: while it is made, on a large table, this run must hold no lock.
    bind = op.get_bind()
    if bind.dialect.name == "sqlite" or bind.scalar(sa.text(_IS_LOCKED_BY_US)):
        op.create_index(_BY_ACCOUNT, "usage", list(_COLUMNS))
    else:
        _create_beside_writers(bind.engine)
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("external_id", sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column("own_data", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("limits", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("limit_mails", sa.Boolean(), server_default=sa.true(), nullable=False)
        )
        batch_op.create_index("uq_accounts_external_id", ["external_id"], unique=True)
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("is_managed", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("limits", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("own_data", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("counted_as", sa.Uuid(), nullable=True))
        batch_op.create_index(
            "ix_api_keys_counted_as",
            ["counted_as"],
            unique=False,
            sqlite_where=sa.text("counted_as IS NOT NULL"),
            postgresql_where=sa.text("counted_as IS NOT NULL"),
        )
    op.create_table(
        "meter_usage",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("meter", sa.String(length=31), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=10), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "day", "source", "meter", name=op.f("pk_meter_usage")),
    )
    op.create_index(
        op.f("ix_meter_usage_account_id_day_key_id_environment_meter"),
        "meter_usage",
        ["account_id", "day", "key_id", "environment", "meter"],
    )
    op.create_index(
        op.f("ix_meter_usage_day_key_id_account_id_environment_meter"),
        "meter_usage",
        ["day", "key_id", "account_id", "environment", "meter"],
    )
    op.create_index(
        op.f("ix_meter_usage_day_account_id_environment_meter"),
        "meter_usage",
        ["day", "account_id", "environment", "meter"],
    )
    op.create_table(
        "limit_notices",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("environment", sa.String(length=10), nullable=False),
        sa.Column("meter", sa.String(length=31), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_limit_notices_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "account_id",
            "environment",
            "meter",
            "period",
            "percent",
            name=op.f("pk_limit_notices"),
        ),
    )
    op.create_index(op.f("ix_limit_notices_at"), "limit_notices", ["at"])


def downgrade() -> None:
    op.drop_index(_BY_ACCOUNT, "usage")
    op.drop_table("limit_notices")
    op.drop_table("meter_usage")
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_index("ix_api_keys_counted_as")
        batch_op.drop_column("counted_as")
        batch_op.drop_column("own_data")
        batch_op.drop_column("limits")
        batch_op.drop_column("is_managed")
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_index("uq_accounts_external_id")
        batch_op.drop_column("limit_mails")
        batch_op.drop_column("limits")
        batch_op.drop_column("own_data")
        batch_op.drop_column("external_id")


def _create_beside_writers(engine: sa.Engine) -> None:
    """As in 0005: not in a transaction; what an attempt that broke off has left is made again."""
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
        found = driver.execute(_IS_VALID, [_BY_ACCOUNT]).fetchone()
        if found is not None and not found[0]:
            driver.execute(f"DROP INDEX CONCURRENTLY {_BY_ACCOUNT}")
        if found is None or not found[0]:
            columns = ", ".join(_COLUMNS)
            driver.execute(f"CREATE INDEX CONCURRENTLY {_BY_ACCOUNT} ON usage ({columns})")
