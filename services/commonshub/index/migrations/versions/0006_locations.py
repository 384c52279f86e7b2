"""Pending uploads by their location, which is all that an event of a bucket names."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By hash, since a location may be longer than an entry of a B-tree.
    awaited = sa.text("state = 'registered'")
    op.create_index("ix_blob_location", "blob", ["location"], postgresql_using="hash", postgresql_where=awaited)


def downgrade() -> None:
    op.drop_index("ix_blob_location")
