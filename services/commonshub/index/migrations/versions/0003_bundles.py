"""Bundles, in indexd's table, and metadata, in the tables of Gen3's metadata service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "drs_bundle_record",
        sa.Column("bundle_id", sa.VARCHAR(), primary_key=True),
        sa.Column("name", sa.VARCHAR()),
        sa.Column("created_time", sa.TIMESTAMP()),
        sa.Column("updated_time", sa.TIMESTAMP()),
        sa.Column("checksum", sa.VARCHAR()),
        sa.Column("size", sa.BIGINT()),
        sa.Column("bundle_data", sa.TEXT()),
        sa.Column("description", sa.TEXT()),
        sa.Column("version", sa.VARCHAR()),
        sa.Column("aliases", sa.VARCHAR()),
        if_not_exists=True,
    )
    op.create_index(
        "ix_drs_bundle_record_updated_time", "drs_bundle_record", ["updated_time", "bundle_id"], if_not_exists=True
    )
    op.create_table(
        "metadata",
        sa.Column("guid", sa.VARCHAR(), primary_key=True),
        sa.Column("data", pg.JSONB()),
        sa.Column("authz", pg.JSONB(), nullable=False),
        if_not_exists=True,
    )
    op.create_index(
        "ix_metadata_data_gin",
        "metadata",
        ["data"],
        postgresql_using="gin",
        postgresql_ops={"data": "jsonb_path_ops"},
        if_not_exists=True,
    )
    op.create_table(
        "metadata_alias",
        sa.Column("alias", sa.VARCHAR(), primary_key=True),
        sa.Column("guid", sa.VARCHAR(), sa.ForeignKey("metadata.guid", ondelete="CASCADE"), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_metadata_alias_guid", "metadata_alias", ["guid"], if_not_exists=True)
    op.create_table("metadata_path", sa.Column("path", sa.VARCHAR(), primary_key=True), if_not_exists=True)


def downgrade() -> None:
    for name in ("metadata_path", "metadata_alias", "metadata", "drs_bundle_record"):
        op.drop_table(name)
