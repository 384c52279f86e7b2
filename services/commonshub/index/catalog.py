"""The tables that only the index service touches: bundles, and the metadata service's.

The migrations make them; a test compares the two.
"""

from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


class Tables(NamedTuple):
    """The tables in one PostgreSQL schema."""

    bundle: sa.Table
    metadata: sa.Table
    alias: sa.Table
    path: sa.Table


@lru_cache(maxsize=8)
def tables(schema: str) -> Tables:
    """The tables in `schema`, as indexd and Gen3's metadata service have them; `path` is ours."""
    every = sa.MetaData(schema=schema)
    bundle = sa.Table(
        "drs_bundle_record",
        every,
        sa.Column("bundle_id", sa.VARCHAR(), primary_key=True),
        sa.Column("name", sa.VARCHAR()),
        *(sa.Column(name, sa.TIMESTAMP()) for name in ("created_time", "updated_time")),
        sa.Column("checksum", sa.VARCHAR()),
        sa.Column("size", sa.BIGINT()),
        *(sa.Column(name, sa.TEXT()) for name in ("bundle_data", "description")),
        *(sa.Column(name, sa.VARCHAR()) for name in ("version", "aliases")),
    )
    metadata = sa.Table(
        "metadata",
        every,
        sa.Column("guid", sa.VARCHAR(), primary_key=True),
        sa.Column("data", pg.JSONB()),
        sa.Column("authz", pg.JSONB(), nullable=False),
    )
    alias = sa.Table(
        "metadata_alias",
        every,
        sa.Column("alias", sa.VARCHAR(), primary_key=True),
        sa.Column("guid", sa.VARCHAR(), sa.ForeignKey(metadata.c.guid, ondelete="CASCADE"), nullable=False),
    )
    path = sa.Table("metadata_path", every, sa.Column("path", sa.VARCHAR(), primary_key=True))
    sa.Index("ix_drs_bundle_record_updated_time", bundle.c.updated_time, bundle.c.bundle_id)
    sa.Index("ix_metadata_data_gin", metadata.c.data, postgresql_using="gin", postgresql_ops={"data": "jsonb_path_ops"})
    sa.Index("ix_metadata_alias_guid", alias.c.guid)
    return Tables(bundle, metadata, alias, path)
