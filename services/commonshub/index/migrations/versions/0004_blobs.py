"""The life of blobs: who reads one and how far, what is being deleted, and buckets of an administrator."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("blob", sa.Column("claim", pg.UUID()))
    op.add_column("blob", sa.Column("size", sa.BIGINT()))
    op.add_column("blob", sa.Column("done", sa.BIGINT(), nullable=False, server_default="0"))
    op.add_column("blob", sa.Column("stamp", sa.VARCHAR()))
    op.create_table(
        "blob_deletion",
        sa.Column("location", sa.VARCHAR(), primary_key=True),
        sa.Column("guid", sa.VARCHAR(), nullable=False),
        sa.Column("reason", sa.VARCHAR()),
        sa.Column("attempts", sa.INTEGER(), nullable=False, server_default="0"),
        sa.Column("begun", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    op.create_index("ix_blob_deletion_due", "blob_deletion", ["due"])
    op.create_table(
        "bucket",
        sa.Column("name", sa.VARCHAR(), primary_key=True),
        sa.Column("store", pg.JSONB(), nullable=False),
        sa.Column("resources", pg.JSONB(), nullable=False),
        sa.Column("created", sa.TIMESTAMP(timezone=True), nullable=False),
    )
