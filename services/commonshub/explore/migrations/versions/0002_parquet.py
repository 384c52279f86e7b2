"""Which runs have their documents in the object store as well."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("etl_run", sa.Column("parquet", JSONB))


def downgrade() -> None:
    op.drop_column("etl_run", "parquet")
