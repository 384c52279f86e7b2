"""Records of an indexd that keeps them in several tables, made records of this index.

Vocabulary
----------
old tables
    ``index_record`` and the tables with its hashes, URLs, metadata, ACLs, authz and aliases. Earlier versions of indexd
    lack some columns and tables; what is not there counts as empty.
source
    PostgreSQL schema of the old tables; they are only read. It may be the schema of the index itself, since the names
    of the tables differ.

A conversion goes through the old tables in order of GUID, each batch in a transaction of its own, and skips GUIDs that
the index has already: it can be repeated at any time, after a crash or because there are new records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from commonshub.core import records
from commonshub.core.database import Database
from commonshub.core.errors import NotFound
from commonshub.core.texts import TEXTS

BATCH_RECORDS = 2000
MAIN = "index_record"
# Columns that the old table has under the name of the new one.
_SAME = [
    *("baseid", "rev", "form", "size", "created_date", "updated_date", "file_name", "version", "uploader"),
    *("description", "content_created_date", "content_updated_date"),
]


class List(NamedTuple):
    """An old table whose rows become a list."""

    column: str
    table: str
    value: str


class Pairs(NamedTuple):
    """An old table whose rows become an object of texts."""

    column: str
    table: str
    key: str
    value: str


_LISTS = [
    List("urls", "index_record_url", "url"),
    List("acl", "index_record_ace", "ace"),
    List("authz", "index_record_authz", "resource"),
    List("alias", "index_record_alias", "name"),
]
_PAIRS = [
    Pairs("hashes", "index_record_hash", "hash_type", "hash_value"),
    Pairs("record_metadata", "index_record_metadata", "key", "value"),
]
_URL_METADATA = "index_record_url_metadata"
_BUNDLES = "drs_bundle_record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How the old tables compare with the index.

    Attributes
    ----------
    old
        Records in the old tables.
    missing
        Those that the index does not have.
    changed
        Those that have another revision in the index: changed here or there since they were converted.
    differing
        By column, entries of all other records: in the old tables, and in the index. Empty when all is well.
    """

    old: int
    missing: int
    changed: int
    differing: dict[str, tuple[int, int]]


class Source:
    """The old tables of one schema.

    Raises
    ------
    NotFound
        There are none.
    """

    def __init__(self, connection: sa.Connection, schema: str) -> None:
        inspector = sa.inspect(connection)
        names = set(inspector.get_table_names(schema))
        if MAIN not in names:
            raise NotFound(f"There are no tables of an older indexd in schema {schema}: it has no {MAIN}.")
        self.schema = schema
        self._names = names
        known = {column["name"] for column in inspector.get_columns(MAIN, schema)}
        self.columns = [name for name in _SAME if name in known]
        self.main = self.table(MAIN, "did", *self.columns)

    def table(self, name: str, *columns: str) -> sa.TableClause:
        """A table with these columns."""
        return sa.table(name, *(sa.column(column) for column in columns), schema=self.schema)

    def has(self, name: str) -> bool:
        """Whether there is such a table."""
        return name in self._names

    def rows(self) -> sa.Select[Any]:
        """A statement whose rows are those of the table of records; for those old records that a caller picks."""
        return sa.select(
            self.main.c.did.label("guid"),
            *(self._column(name) for name in self.columns),
            *(self._list(each).label(each.column) for each in _LISTS if self.has(each.table)),
            *(self._pairs(each).label(each.column) for each in _PAIRS if self.has(each.table)),
            *([self._url_metadata().label("url_metadata")] if self.has(_URL_METADATA) else []),
        )

    def _column(self, name: str) -> sa.ColumnElement[Any]:
        # Who changes a record must name its revision, so each has one.
        return sa.func.coalesce(self.main.c.rev, records.any_rev()).label(name) if name == "rev" else self.main.c[name]

    def _list(self, each: List) -> sa.ColumnElement[Any]:
        table = self.table(each.table, "did", each.value)
        value = table.c[each.value]
        found = sa.func.array_agg(pg.aggregate_order_by(sa.cast(value, sa.VARCHAR()), value))
        return self._of_record(sa.func.coalesce(found, sa.cast(pg.array([]), TEXTS)), table)

    def _pairs(self, each: Pairs) -> sa.ColumnElement[Any]:
        table = self.table(each.table, "did", each.key, each.value)
        return self._of_record(_object(table.c[each.key], table.c[each.value]), table)

    def _url_metadata(self) -> sa.ColumnElement[Any]:
        table = self.table(_URL_METADATA, "did", "url", "key", "value")
        pairs = sa.func.jsonb_object_agg(table.c.key, table.c.value)
        of_url = (
            sa.select(table.c.url, pairs.label("pairs"))
            .where(table.c.did == self.main.c.did)
            .group_by(table.c.url)
            .correlate(self.main)
            .subquery()
        )
        return sa.select(_object(of_url.c.url, of_url.c.pairs)).scalar_subquery()

    def _of_record(self, value: sa.ColumnElement[Any], table: sa.TableClause) -> sa.ColumnElement[Any]:
        return sa.select(value).where(table.c.did == self.main.c.did).correlate(self.main).scalar_subquery()

    def count(self, connection: sa.Connection) -> int:
        """Number of old records."""
        return connection.execute(_count(self.main)).scalar_one()


def _object(key: sa.ColumnElement[Any], value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(sa.func.jsonb_object_agg(key, value), sa.cast(sa.literal_column("'{}'"), pg.JSONB()))


def waiting(connection: sa.Connection, schema: str) -> bool:
    """Whether there are old records in a schema, and none of the index."""
    if not sa.inspect(connection).has_table(MAIN, schema=schema):
        return False
    old = sa.select(sa.table(MAIN, sa.column("did"), schema=schema).c.did).exists()
    new = sa.select(records.tables(schema).record.c.guid).exists()
    return bool(connection.execute(sa.select(sa.and_(old, sa.not_(new)))).scalar_one())


def convert(database: Database, source: Source, schema: str, batch: int = BATCH_RECORDS) -> Iterator[int]:
    """Make records of what the old tables hold, each batch in a transaction; yields how many old ones it looked at.

    Parameters
    ----------
    schema
        Schema of the index. GUIDs that it has are left as they are.
    batch
        Old records at once: only their GUIDs ever come here, the database moves the rest.
    """
    last: str | None = None
    while True:
        guids = database.call(_convert_batch, source, schema, last, batch)
        if not guids:
            break
        yield len(guids)
        last = guids[-1]
    if source.schema != schema and source.has(_BUNDLES):
        database.call(_copy_bundles, source, schema)


def _convert_batch(connection: sa.Connection, source: Source, schema: str, last: str | None, batch: int) -> list[str]:
    did = source.main.c.did
    query = sa.select(did).order_by(did).limit(batch)
    guids = list(connection.execute(query if last is None else query.where(did > last)).scalars())
    wanted = did == sa.any_(sa.bindparam("guids", guids, type_=TEXTS))
    chosen = source.rows().where(wanted)
    statement = pg.insert(records.tables(schema).record).from_select(list(chosen.selected_columns.keys()), chosen)
    connection.execute(statement.on_conflict_do_nothing())
    return guids


def _copy_bundles(connection: sa.Connection, source: Source, schema: str) -> None:
    columns = [
        *("bundle_id", "name", "created_time", "updated_time", "checksum", "size", "bundle_data", "description"),
        *("version", "aliases"),
    ]
    chosen = sa.select(source.table(_BUNDLES, *columns))
    target = sa.table(_BUNDLES, *(sa.column(name) for name in columns), schema=schema)
    connection.execute(pg.insert(target).from_select(columns, chosen).on_conflict_do_nothing())


def check(connection: sa.Connection, source: Source, schema: str) -> Check:
    """Compare the old tables with the index, by counting what records have."""
    # However large the tables are.
    connection.execute(sa.text("set local statement_timeout = 0"))
    new, old = records.tables(schema).record, source.main
    of_guid = new.c.guid == old.c.did
    missing = _count(old.outerjoin(new, of_guid)).where(new.c.guid.is_(None))
    # An old record without a revision got one here.
    told = sa.or_(old.c.rev.is_(None), new.c.rev.is_not_distinct_from(old.c.rev))
    changed = _count(old.join(new, of_guid)).where(sa.not_(told))
    same = old.join(new, sa.and_(of_guid, told))
    parts: list[List | Pairs] = [*_LISTS, *_PAIRS]
    tables: dict[str, sa.FromClause] = {
        each.column: source.table(each.table, "did") for each in parts if source.has(each.table)
    }
    if source.has(_URL_METADATA):
        described = source.table(_URL_METADATA, "did", "url")
        tables["url_metadata"] = sa.select(described.c.did, described.c.url).distinct().subquery()
    found = {
        column: (
            connection.execute(_count(same.join(table, table.c.did == old.c.did))).scalar_one(),
            int(connection.execute(_total(new.c[column]).select_from(same)).scalar_one()),
        )
        for column, table in tables.items()
    }
    return Check(
        old=source.count(connection),
        missing=connection.execute(missing).scalar_one(),
        changed=connection.execute(changed).scalar_one(),
        differing={column: counts for column, counts in found.items() if counts[0] != counts[1]},
    )


def _count(rows: sa.FromClause) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(rows)


def _total(column: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Entries of a list or an object, of all rows together."""
    if isinstance(column.type, pg.JSONB):
        keys = sa.func.jsonb_path_query_array(column, "$.keyvalue()")
        length = sa.func.jsonb_array_length(keys)
    else:
        length = sa.func.cardinality(column)
    return sa.select(sa.func.coalesce(sa.func.sum(length), 0))
