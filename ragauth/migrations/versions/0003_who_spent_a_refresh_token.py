"""who spent a refresh token"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("spender_network", sa.String(length=43), nullable=True))
        batch_op.add_column(sa.Column("spender_agent", sa.LargeBinary(length=32), nullable=True))
        batch_op.add_column(sa.Column("refused_generation", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.drop_column("refused_generation")
        batch_op.drop_column("spender_agent")
        batch_op.drop_column("spender_network")
