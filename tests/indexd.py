"""Databases as indexd makes them, from the documented definitions of its tables."""

from typing import Any

import sqlalchemy as sa

MD5, SHA256 = "0cc175b9c0f1b6a831c399e269772661", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
A, B, C, D, E = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abcde")
BASE = "ffffffff-0000-4000-8000-000000000000"

COMMON = """
create table base_version (baseid varchar primary key);
create table drs_bundle_record (
    bundle_id varchar primary key, name varchar, created_time timestamp, updated_time timestamp, checksum varchar,
    size bigint, bundle_data text, description text, version varchar, aliases varchar);
create table stats (
    month integer, year integer, total_record_count bigint, total_record_bytes bigint, primary key (month, year));
create table auth_record (username varchar primary key, password varchar);
create table alias_record (
    name varchar primary key, rev varchar, size bigint, release varchar, metastring varchar, keeper_authority varchar);
create table alias_record_hash (
    name varchar references alias_record, hash_type varchar, hash_value varchar, primary key (name, hash_type));
create table alias_record_host_authority (
    name varchar references alias_record, host varchar, primary key (name, host));
create table index_schema_version (version integer primary key);
create table alias_schema_version (version integer primary key);
create table alembic_version (version_num varchar(32) primary key);
insert into stats values (1, 2026, 5, 99);
insert into auth_record values ('fence', 'hashed');
insert into alembic_version values ('9a2169051163');
insert into drs_bundle_record (bundle_id, name, created_time, updated_time, checksum, size, bundle_data) values (
    'dg.T/bundle', 'a bundle', '2024-01-01', '2024-01-01', '{"type": "md5", "checksum": "x"}', 1, '{}');
"""

SINGLE = """
create table record (
    guid varchar primary key, baseid varchar, rev varchar, form varchar, size bigint,
    created_date timestamp, updated_date timestamp, file_name varchar, version varchar, uploader varchar,
    description varchar, content_created_date timestamp, content_updated_date timestamp,
    hashes jsonb, acl varchar[], authz varchar[], urls varchar[], record_metadata jsonb, url_metadata jsonb,
    alias varchar[]);
create index ix_record_baseid on record (baseid);
create index ix_record_size on record (size);
create index ix_record_hashes on record (hashes);
"""

NORMALIZED = """
create table index_record (
    did varchar primary key, baseid varchar references base_version, rev varchar, form varchar, size bigint,
    created_date timestamp, updated_date timestamp, file_name varchar, version varchar, uploader varchar,
    description varchar, content_created_date timestamp, content_updated_date timestamp);
create table index_record_url (did varchar references index_record, url varchar, primary key (did, url));
create table index_record_url_metadata (
    key varchar, url varchar, did varchar, value varchar, primary key (key, url, did),
    foreign key (did, url) references index_record_url (did, url));
create table index_record_hash (
    did varchar references index_record, hash_type varchar, hash_value varchar, primary key (did, hash_type));
create table index_record_ace (did varchar references index_record, ace varchar, primary key (did, ace));
create table index_record_authz (
    did varchar references index_record, resource varchar, primary key (did, resource));
create table index_record_metadata (
    key varchar, did varchar references index_record, value varchar, primary key (key, did));
create table index_record_alias (
    did varchar references index_record, name varchar unique, primary key (did, name));
"""

EARLY = """
create table index_record (
    did varchar primary key, baseid varchar, rev varchar, form varchar, size bigint,
    created_date timestamp, updated_date timestamp, file_name varchar, version varchar, uploader varchar);
create table index_record_url (did varchar references index_record, url varchar, primary key (did, url));
create table index_record_hash (
    did varchar references index_record, hash_type varchar, hash_value varchar, primary key (did, hash_type));
"""

# Records as one reads them: whole, blank, with a prefix, with nothing but a GUID, with odd values.
DOCUMENTS: list[dict[str, Any]] = [
    {
        "did": A, "baseid": BASE, "rev": "aaaa0001", "form": "object", "size": 3, "version": "1",
        "file_name": "a b.csv", "uploader": "alice", "description": "first", "hashes": {"md5": MD5, "sha256": SHA256},
        "urls": ["gs://b/a", "s3://b/a"], "urls_metadata": {"s3://b/a": {"state": "up", "type": "cleversafe"}},
        "acl": ["*", "phs1"], "authz": ["/programs/p/projects/q"], "metadata": {"k": "v", "empty": ""},
        "created_date": "2020-01-01T00:00:00.123456", "updated_date": "2021-01-01T00:00:00",
        "content_created_date": "2019-01-01T00:00:00", "content_updated_date": "2019-06-01T00:00:00",
        "aliases": ["an alias", "b/alias"],
    },
    {
        "did": f"dg.T/{B}", "baseid": BASE, "rev": "bbbb0001", "form": "object", "size": 2**62, "version": "2",
        "hashes": {"md5": MD5, "crc": "0a1b2c3d", "blake3": "kept as it is"}, "urls": ["no URL"],
        "acl": [], "authz": ["no path"], "created_date": "2022-01-01T00:00:00", "updated_date": "2022-01-01T00:00:00",
    },
    {
        "did": C, "baseid": C, "rev": "cccc0001", "uploader": "bob", "file_name": "to come",
        "created_date": "2023-01-01T00:00:00", "updated_date": "2023-01-01T00:00:00",
    },
    {"did": D, "baseid": None, "rev": "dddd0001", "size": 0, "hashes": {"md5": MD5}, "form": "multipart"},
    {"did": f"other:{E}", "baseid": None, "rev": "eeee0001", "urls": ["s3://b/é %?#"], "metadata": {"ü": "\"'\\"}},
]  # fmt: skip
EMPTY: dict[str, Any] = {
    **dict.fromkeys(["form", "size", "file_name", "version", "uploader", "description"]),
    **dict.fromkeys(["created_date", "updated_date", "content_created_date", "content_updated_date"]),
    **{name: [] for name in ("urls", "acl", "authz", "aliases")},
    **{name: {} for name in ("urls_metadata", "hashes", "metadata")},
}
SAME = [
    *("baseid", "rev", "form", "size", "created_date", "updated_date", "file_name", "version", "uploader"),
    *("description", "content_created_date", "content_updated_date"),
]


def whole(document: dict[str, Any]) -> dict[str, Any]:
    """All keys of a document, as the service answers; aliases have their own route."""
    return {name: value for name, value in {**EMPTY, **document}.items() if name != "aliases"}


def single(connection: sa.Connection) -> None:
    """The layout with one table, with records in it; what is empty is null in every second one."""
    connection.exec_driver_sql(COMMON + SINGLE)
    for place, given in enumerate(DOCUMENTS):
        document = given if place % 2 else {**EMPTY, **given}
        row = {name: document.get(name) for name in SAME}
        row |= {"guid": document["did"], "alias": document.get("aliases")}
        row |= {name: document.get(name) for name in ("acl", "authz", "urls", "hashes")}
        row |= {"record_metadata": document.get("metadata"), "url_metadata": document.get("urls_metadata")}
        types = {"hashes": sa.JSON(none_as_null=True), "record_metadata": sa.JSON(none_as_null=True)}
        types["url_metadata"] = sa.JSON(none_as_null=True)
        table = sa.table("record", *(sa.column(name, types.get(name)) for name in row))
        connection.execute(sa.insert(table).values(row))


def normalized(connection: sa.Connection) -> None:
    """The layout with a table for each list, with the same records in it."""
    connection.exec_driver_sql(COMMON + NORMALIZED)
    _insert(connection, "base_version", [{"baseid": each} for each in {d["baseid"] for d in DOCUMENTS} if each])
    _insert(connection, "index_record", [{"did": d["did"], **{n: d.get(n) for n in SAME}} for d in DOCUMENTS])
    for name, table, column in [
        ("urls", "index_record_url", "url"),
        ("acl", "index_record_ace", "ace"),
        ("authz", "index_record_authz", "resource"),
        ("aliases", "index_record_alias", "name"),
    ]:
        _insert(connection, table, [{"did": d["did"], column: each} for d in DOCUMENTS for each in d.get(name, [])])
    for name, table, key, value in [
        ("hashes", "index_record_hash", "hash_type", "hash_value"),
        ("metadata", "index_record_metadata", "key", "value"),
    ]:
        rows = [{"did": d["did"], key: k, value: v} for d in DOCUMENTS for k, v in d.get(name, {}).items()]
        _insert(connection, table, rows)
    rows = [
        {"did": d["did"], "url": url, "key": key, "value": value}
        for d in DOCUMENTS
        for url, pairs in d.get("urls_metadata", {}).items()
        for key, value in pairs.items()
    ]
    _insert(connection, "index_record_url_metadata", rows)


def _insert(connection: sa.Connection, name: str, rows: list[dict[str, Any]]) -> None:
    connection.execute(sa.insert(sa.table(name, *(sa.column(column) for column in rows[0]))), rows)
