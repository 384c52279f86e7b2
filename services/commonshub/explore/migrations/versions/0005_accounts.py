"""Saved sets belong to accounts; of those before, nobody can tell whose they are."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.delete(sa.table("saved_set")))
    op.drop_index("saved_set_of_owner", "saved_set")
    op.add_column("saved_set", sa.Column("account", sa.Text, nullable=False))
    op.create_index("saved_set_of_account", "saved_set", ["account", "id"])


def downgrade() -> None:
    op.drop_index("saved_set_of_account", "saved_set")
    op.drop_column("saved_set", "account")
    op.create_index("saved_set_of_owner", "saved_set", ["owner", "id"])
