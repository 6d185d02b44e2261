"""limits of keys and meters"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
