"""Each record with the JSON that clients read, so that to make it is the work of the writer, once.

Reads of many take half the processor time, and the table twice the space. PostgreSQL keeps the text right whoever
writes: an indexd on the same table needs to know nothing of it.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# indexd's order; null for a list or an object, be it SQL's or JSON's, counts as empty. Aliases have their own route.
_FIELDS = {
    "did varchar": "guid",
    "baseid varchar": "baseid",
    "rev varchar": "rev",
    "form varchar": "form",
    "size bigint": "size",
    "file_name varchar": "file_name",
    "version varchar": "version",
    "uploader varchar": "uploader",
    "urls varchar[]": "coalesce(urls, '{}')",
    "urls_metadata jsonb": "coalesce(nullif(url_metadata, 'null'), '{}')",
    "acl varchar[]": "coalesce(acl, '{}')",
    "authz varchar[]": "coalesce(authz, '{}')",
    "hashes jsonb": "coalesce(nullif(hashes, 'null'), '{}')",
    "metadata jsonb": "coalesce(nullif(record_metadata, 'null'), '{}')",
    "created_date timestamp": "created_date",
    "updated_date timestamp": "updated_date",
    "description varchar": "description",
    "content_created_date timestamp": "content_created_date",
    "content_updated_date timestamp": "content_updated_date",
}
_LISTS = {"acl": "", "alias": "with (fastupdate = off)"}


def upgrade() -> None:
    op.execute(f"create type record_document as ({', '.join(_FIELDS)})")
    # Of values of these types the text depends on no setting, though PostgreSQL does not promise so much. It keeps the
    # column's expression by what it names, and the function's body as it stands: so the body names nothing of a schema,
    # which may get another name.
    op.execute(
        "create function record_text(document record_document) returns text immutable strict parallel safe "
        "language plpgsql as 'begin return pg_catalog.row_to_json(document); end'"
    )
    # Few records have an alias or an ACL, and to index that one has none takes as long as to index one.
    for name in _LISTS:
        op.drop_index(f"ix_record_{name}_gin", "record")
    # Smaller records that come later would otherwise go into what the larger ones left of their pages, each into a page
    # of its own, and the log of the database would hold all of these pages.
    op.execute("alter table record set (fillfactor = 90)")
    made = f"record_text(row({', '.join(_FIELDS.values())})::record_document)"
    op.execute(f"alter table record add column document text generated always as ({made}) stored")
    for name, options in _LISTS.items():
        op.execute(f"create index ix_record_{name}_gin on record using gin ({name}) {options} where {name} <> '{{}}'")


def downgrade() -> None:
    for name in _LISTS:
        op.drop_index(f"ix_record_{name}_gin", "record")
    op.execute("alter table record drop column document, reset (fillfactor)")
    op.execute("drop function record_text(record_document)")
    op.execute("drop type record_document")
    for name, options in _LISTS.items():
        op.execute(f"create index ix_record_{name}_gin on record using gin ({name}) {options}")
