"""The tables of records and blobs, as every service that touches them sees them.

The migrations of the index service make them; a test compares the two.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


class Tables(NamedTuple):
    """The tables in one PostgreSQL schema.

    Parameters
    ----------
    deletion
        Locations whose records are gone and whose bytes are going.
    bucket
        Buckets that an administrator has registered.
    """

    record: sa.Table
    blob: sa.Table
    deletion: sa.Table
    bucket: sa.Table


def filled(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a list has entries: what the index of a list holds that few records have.

    Who wants that index to be read says so; its own condition does not tell PostgreSQL.
    """
    some: sa.ColumnElement[bool] = column != sa.literal_column("'{}'::varchar[]")
    return some


@lru_cache(maxsize=8)
def tables(schema: str) -> Tables:
    """The tables in `schema`."""
    text_array = pg.ARRAY(sa.VARCHAR())
    metadata = sa.MetaData(schema=schema)
    record = sa.Table(
        "record",
        metadata,
        sa.Column("guid", sa.VARCHAR(), primary_key=True),
        *(sa.Column(name, sa.VARCHAR()) for name in ("baseid", "rev", "form")),
        sa.Column("size", sa.BIGINT()),
        *(sa.Column(name, sa.TIMESTAMP()) for name in ("created_date", "updated_date")),
        *(sa.Column(name, sa.VARCHAR()) for name in ("file_name", "version", "uploader", "description")),
        *(sa.Column(name, sa.TIMESTAMP()) for name in ("content_created_date", "content_updated_date")),
        sa.Column("hashes", pg.JSONB()),
        *(sa.Column(name, text_array) for name in ("acl", "authz", "urls")),
        *(sa.Column(name, pg.JSONB()) for name in ("record_metadata", "url_metadata")),
        sa.Column("alias", text_array),
        # The JSON that clients read; PostgreSQL makes it of the others whenever one of them is written.
        sa.Column("document", sa.TEXT(), sa.FetchedValue()),
    )
    blob = sa.Table(
        "blob",
        metadata,
        sa.Column("guid", sa.VARCHAR(), sa.ForeignKey(record.c.guid, ondelete="CASCADE"), primary_key=True),
        sa.Column("location", sa.VARCHAR(), nullable=False),
        sa.Column("state", sa.VARCHAR(), nullable=False),
        sa.Column("reason", sa.VARCHAR()),
        sa.Column("attempts", sa.INTEGER(), nullable=False, server_default="0"),
        *(sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=False) for name in ("registered", "updated", "due")),
        sa.Column("claim", pg.UUID()),
        sa.Column("size", sa.BIGINT()),
        sa.Column("done", sa.BIGINT(), nullable=False, server_default="0"),
        sa.Column("stamp", sa.VARCHAR()),
    )
    deletion = sa.Table(
        "blob_deletion",
        metadata,
        sa.Column("location", sa.VARCHAR(), primary_key=True),
        sa.Column("guid", sa.VARCHAR(), nullable=False),
        sa.Column("reason", sa.VARCHAR()),
        sa.Column("attempts", sa.INTEGER(), nullable=False, server_default="0"),
        *(sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=False) for name in ("begun", "due")),
    )
    bucket = sa.Table(
        "bucket",
        metadata,
        sa.Column("name", sa.VARCHAR(), primary_key=True),
        *(sa.Column(name, pg.JSONB(), nullable=False) for name in ("store", "resources")),
        sa.Column("created", sa.TIMESTAMP(timezone=True), nullable=False),
    )
    for name in ("baseid", "size", "file_name", "uploader"):
        sa.Index(f"ix_record_{name}", record.c[name])
    sa.Index("ix_record_changed", record.c.updated_date.nulls_first(), record.c.guid)
    sa.Index("ix_record_version", record.c.version, postgresql_where=record.c.version.is_not(None))
    zero: sa.ColumnClause[int] = sa.literal_column("0")
    empty: sa.ColumnClause[object] = sa.literal_column("'{}'::jsonb")
    for name in ("acl", "authz"):
        nobody = sa.func.coalesce(sa.func.cardinality(record.c[name]), zero) == zero
        sa.Index(f"ix_record_no_{name}", record.c.guid, postgresql_where=nobody)
    for name in ("record_metadata", "url_metadata"):
        some = record.c[name] != empty
        sa.Index(f"ix_record_{name}_gin", record.c[name], postgresql_using="gin", postgresql_where=some)
    # They are probed by the thousand, and each probe would go through whatever was put off.
    probed: dict[str, Any] = {"postgresql_using": "gin", "postgresql_with": {"fastupdate": False}}
    sa.Index("ix_record_hashes_gin", record.c.hashes, postgresql_ops={"hashes": "jsonb_path_ops"}, **probed)
    sa.Index("ix_record_alias_gin", record.c.alias, postgresql_where=filled(record.c.alias), **probed)
    sa.Index("ix_record_acl_gin", record.c.acl, postgresql_using="gin", postgresql_where=filled(record.c.acl))
    for name in ("authz", "urls"):
        sa.Index(f"ix_record_{name}_gin", record.c[name], postgresql_using="gin")
    pending = blob.c.state.in_(["registered", "uploaded"])
    sa.Index("ix_blob_due", blob.c.due, postgresql_where=pending)
    awaited = blob.c.state == "registered"
    sa.Index("ix_blob_location", blob.c.location, postgresql_using="hash", postgresql_where=awaited)
    sa.Index("ix_blob_deletion_due", deletion.c.due)
    return Tables(record, blob, deletion, bucket)
