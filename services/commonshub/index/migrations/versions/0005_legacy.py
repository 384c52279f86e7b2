"""Databases that an indexd has made: every record has a revision, which writers must name."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("update record set rev = left(md5(random()::text), 8) where rev is null")


def downgrade() -> None:
    pass
