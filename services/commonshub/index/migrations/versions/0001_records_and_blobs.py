"""Records in indexd's single-table layout, and blobs. An existing indexd table is taken over as it is."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    texts = pg.ARRAY(sa.VARCHAR())
    op.create_table(
        "record",
        sa.Column("guid", sa.VARCHAR(), primary_key=True),
        sa.Column("baseid", sa.VARCHAR()),
        sa.Column("rev", sa.VARCHAR()),
        sa.Column("form", sa.VARCHAR()),
        sa.Column("size", sa.BIGINT()),
        sa.Column("created_date", sa.TIMESTAMP()),
        sa.Column("updated_date", sa.TIMESTAMP()),
        sa.Column("file_name", sa.VARCHAR()),
        sa.Column("version", sa.VARCHAR()),
        sa.Column("uploader", sa.VARCHAR()),
        sa.Column("description", sa.VARCHAR()),
        sa.Column("content_created_date", sa.TIMESTAMP()),
        sa.Column("content_updated_date", sa.TIMESTAMP()),
        sa.Column("hashes", pg.JSONB()),
        sa.Column("acl", texts),
        sa.Column("authz", texts),
        sa.Column("urls", texts),
        sa.Column("record_metadata", pg.JSONB()),
        sa.Column("url_metadata", pg.JSONB()),
        sa.Column("alias", texts),
        if_not_exists=True,
    )
    for name in ("baseid", "size", "file_name", "uploader"):
        op.create_index(f"ix_record_{name}", "record", [name], if_not_exists=True)
    op.create_index("ix_record_updated_date_guid", "record", ["updated_date", "guid"], if_not_exists=True)
    op.create_index(
        "ix_record_hashes_gin",
        "record",
        ["hashes"],
        postgresql_using="gin",
        postgresql_ops={"hashes": "jsonb_path_ops"},
        if_not_exists=True,
    )
    for name in ("acl", "authz", "urls", "alias"):
        op.create_index(f"ix_record_{name}_gin", "record", [name], postgresql_using="gin", if_not_exists=True)
    op.create_table(
        "blob",
        sa.Column("guid", sa.VARCHAR(), sa.ForeignKey("record.guid", ondelete="CASCADE"), primary_key=True),
        sa.Column("location", sa.VARCHAR(), nullable=False),
        sa.Column("state", sa.VARCHAR(), nullable=False),
        sa.Column("reason", sa.VARCHAR()),
        sa.Column("attempts", sa.INTEGER(), nullable=False, server_default="0"),
        sa.Column("registered", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    op.create_index("ix_blob_due", "blob", ["due"], postgresql_where=sa.text("state in ('registered', 'uploaded')"))


def downgrade() -> None:
    op.drop_table("blob")
    op.drop_table("record")
