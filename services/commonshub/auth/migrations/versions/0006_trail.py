"""What the queries of the audit trail need."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = op.get_bind().execute(sa.text("select current_schema()")).scalar_one()
    op.add_column("audit", sa.Column("session", sa.Text), schema=schema)
    # Each is read in the order of time; `at` alone has its index already.
    for name in ("username", "subject", "action"):
        op.create_index(f"audit_{name}_at", "audit", [name, "at", "id"], schema=schema)
