"""How far a run has come that is in progress."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("etl_run", sa.Column("progress", JSONB))


def downgrade() -> None:
    op.drop_column("etl_run", "progress")
