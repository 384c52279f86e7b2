"""Runs of the build, and which one is active."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "etl_run",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started", moment, nullable=False, server_default=sa.func.now()),
        sa.Column("finished", moment),
        sa.Column("fingerprint", sa.Text),
        sa.Column("catalog", JSONB),
        sa.Column("counts", JSONB),
        sa.Column("message", sa.Text, nullable=False, server_default=""),
        sa.CheckConstraint("state in ('building', 'ready', 'failed', 'dropped')", name="etl_run_state"),
    )
    op.create_table(
        "active_run",
        sa.Column("single", sa.Boolean, primary_key=True, server_default=sa.true()),
        sa.Column("run_id", sa.BigInteger, sa.ForeignKey("etl_run.id"), nullable=False),
        sa.CheckConstraint("single", name="active_run_only"),
    )


def downgrade() -> None:
    op.drop_table("active_run")
    op.drop_table("etl_run")
