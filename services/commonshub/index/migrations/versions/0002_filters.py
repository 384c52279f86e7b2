"""Indexes of the filters of lists. What few records have is indexed for those alone and costs the others nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Records of unknown date come first, so that a page can start after a date.
    op.drop_index("ix_record_updated_date_guid", "record", if_exists=True)
    op.create_index("ix_record_changed", "record", [sa.text("updated_date nulls first"), "guid"])
    op.create_index("ix_record_version", "record", ["version"], postgresql_where=sa.text("version is not null"))
    zero: sa.ColumnClause[int] = sa.literal_column("0")
    empty: sa.ColumnClause[object] = sa.literal_column("'{}'::jsonb")
    for name in ("acl", "authz"):
        nobody = sa.func.coalesce(sa.func.cardinality(sa.column(name)), zero) == zero
        op.create_index(f"ix_record_no_{name}", "record", ["guid"], postgresql_where=nobody)
    for name in ("record_metadata", "url_metadata"):
        some = sa.column(name) != empty
        op.create_index(f"ix_record_{name}_gin", "record", [name], postgresql_using="gin", postgresql_where=some)
    # For parts of URLs, of which there is no index; older servers guess.
    if (op.get_bind().dialect.server_version_info or ()) >= (14,):
        op.execute("create statistics if not exists record_urls on (array_to_string(urls, ' ')) from record")
