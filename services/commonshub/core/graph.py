"""Records and links as tables of PostgreSQL, named and laid out as in Gen3's databases.

Every node type has a table and every link has one. All properties are in ``_props`` (jsonb), also ``submitter_id``,
``project_id``, ``state`` and the timestamps; ``_sysan`` holds annotations of the system's own. An edge runs from child
(``src_id``) to parent (``dst_id``). The names follow psqlgraph and gen3datamodel, so that a commons can open an
existing database.

Three indexes of Gen3's node tables are left out, because no query needs them: a second btree on ``node_id`` beside the
primary key, and the GIN indexes on ``_sysan`` and on both columns together. So are two of an edge table that its
primary key ``(src_id, dst_id)`` already covers. The others have Gen3's names, or they would be made a second time.
The one on all properties knows pairs of property and value and not, as Gen3's does, each property by itself as well,
which nobody asks for: to keep it up to date takes half as long.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from .counts import counts_table, statements, trigger_key
from .dictionary import Dictionary, Link, NodeType
from .dictionary.naming import edge_table as edge_table
from .dictionary.naming import index_name as index_name
from .dictionary.naming import node_table as node_table

CHANNEL = "commonshub_graph"
"""``NOTIFY`` channel of committed submissions; the payload is a project id."""

HOLD = "hold_dictionary"
"""Name of the function of :func:`hold_function`."""

_MAX_IDENTIFIER_BYTES = 63
_LOCK_TIMEOUT_MS = 10_000


class Graph:
    """The tables of a dictionary.

    Parameters
    ----------
    dictionary
        The node types and links.
    schema
        PostgreSQL schema that holds them.
    """

    def __init__(self, dictionary: Dictionary, schema: str) -> None:
        self.dictionary = dictionary
        self.schema = schema
        self.metadata = sa.MetaData(schema=schema)
        self._nodes: dict[str, sa.Table] = {}
        self._edges: dict[Link, sa.Table] = {}
        nodes = dictionary.nodes.values()
        links = [link for node in nodes for link in node.links]
        for node in nodes:
            self._nodes[node.id] = self._node_table(node)
        for link in links:
            self._edges[link] = self._edge_table(link)
        self.voided_nodes = self._voided("_voided_nodes", "node_id")
        self.voided_edges = self._voided("_voided_edges", "src_id", "dst_id")
        self.transaction_logs = self._transaction_logs()
        self.transaction_snapshots = self._transaction_snapshots()
        self.transaction_documents = self._transaction_documents()
        self.transaction_document_parts = self._transaction_document_parts()
        self.transaction_jobs = self._transaction_jobs()
        self.versions = versions_table(self.metadata)
        self.counts = counts_table(self.metadata)

    def node(self, node_id: str) -> sa.Table:
        """Table of a node type: ``node_id``, ``_props``, ``_sysan``, ``acl``, ``created``."""
        return self._nodes[node_id]

    def edge(self, link: Link) -> sa.Table:
        """Table of a link: ``src_id`` (child), ``dst_id`` (parent) and the columns of every table."""
        return self._edges[link]

    def create(self, connection: sa.Connection) -> list[str]:
        """Make the tables and indexes that are missing; safe to call from many processes at once.

        A start that finds everything costs two queries. Nothing is ever dropped.

        Returns
        -------
        list of str
            Names of what was made.
        """
        present = self._present(connection)
        if next(iter(self._missing(present)), None) is None:
            return []
        connection.execute(
            sa.text("select pg_advisory_xact_lock(hashtext('commonshub.graph.' || :s))"), {"s": self.schema}
        )
        connection.execute(sa.text(f"set local lock_timeout = {_LOCK_TIMEOUT_MS}"))
        connection.execute(sa.schema.CreateSchema(self.schema, if_not_exists=True))
        made = []
        for name, statement in list(self._missing(self._present(connection))):
            connection.execute(statement)
            made.append(name)
        return made

    def withdraw(self, connection: sa.Connection, before: "Graph") -> None:
        """Drop the indexes of another dictionary's tables that say otherwise than ours what has to be unique.

        :meth:`create` then makes ours. An index holds no data of its own.
        """
        for node_id in before._nodes.keys() & self._nodes.keys():
            ours = {str(index.name): index.unique for index in self._nodes[node_id].indexes}
            for index in before._nodes[node_id].indexes:
                if bool(index.unique) != bool(ours.get(str(index.name), False)):
                    connection.execute(sa.schema.DropIndex(index, if_exists=True))

    def _present(self, connection: sa.Connection) -> frozenset[str]:
        query = sa.text(
            "with mine as (select c.oid, relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = :s and c.relkind in ('r', 'p', 'i'))"
            " select relname from mine union all"
            " select relname || '.' || tgname from mine join pg_trigger on tgrelid = mine.oid where not tgisinternal"
        )
        return frozenset(connection.execute(query, {"s": self.schema}).scalars())

    def _missing(self, present: frozenset[str]) -> Iterable[tuple[str, sa.schema.ExecutableDDLElement]]:
        for table in self.metadata.sorted_tables:
            if table.name not in present:
                yield table.name, sa.schema.CreateTable(table, if_not_exists=True)
                if table is self.versions:
                    yield HOLD, _ddl(hold_function(self.schema))
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                if index.name not in present:
                    yield str(index.name), sa.schema.CreateIndex(index, if_not_exists=True)
        for node_id, table in self._nodes.items():
            key = trigger_key(table.name)
            if key not in present:
                for statement in statements(self.schema, table.name, node_id):
                    yield key, _ddl(statement)

    def _node_table(self, node: NodeType) -> sa.Table:
        table = sa.Table(
            node_table(node.id), self.metadata, *_common_columns(), sa.Column("node_id", sa.Text, primary_key=True)
        )
        name = f"{table.name}__props_idx"
        if len(name) > _MAX_IDENTIFIER_BYTES:
            name = index_name(node.id, "props")
        sa.Index(name, table.c._props, postgresql_using="gin", postgresql_ops={"_props": "jsonb_path_ops"})
        for key in sorted({key for keys in node.unique_keys for key in keys}):
            alone = any(keys == (key,) for keys in node.unique_keys)
            _property_index(table, index_name(node.id, key), [_text(table, key)], unique=alone)
            _property_index(table, index_name(node.id, f"{key}_lower"), [_lower(table, key)])
        for keys in node.unique_keys:
            if len(keys) > 1:
                lowered = [_lower(table, key) for key in keys]
                _property_index(table, index_name(node.id, "_".join(keys) + "_uniq"), lowered, unique=True)
        return table

    def _edge_table(self, link: Link) -> sa.Table:
        def end(name: str, node_id: str) -> sa.Column[Any]:
            key = sa.ForeignKey(
                self._nodes[node_id].c.node_id, ondelete="CASCADE", deferrable=True, initially="DEFERRED"
            )
            return sa.Column(name, sa.Text, key, primary_key=True)

        table = sa.Table(
            edge_table(link), self.metadata, *_common_columns(), end("src_id", link.source), end("dst_id", link.target)
        )
        sa.Index(f"{table.name}_dst_id", table.c.dst_id)
        return table

    def _voided(self, name: str, *ends: str) -> sa.Table:
        """What nodes and edges were: a copy of the row for each change, and for its end."""
        moment = sa.DateTime(timezone=True)
        # With the ends of an edge the key is no clearer, but so it is in Gen3's databases.
        among = len(ends) > 1
        return sa.Table(
            name,
            self.metadata,
            sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=True),
            *(sa.Column(end, sa.Text, nullable=False, primary_key=among) for end in ends),
            sa.Column("created", moment, nullable=False, server_default=sa.func.now()),
            sa.Column("voided", moment, nullable=False, server_default=sa.func.now()),
            sa.Column("acl", ARRAY(sa.Text)),
            sa.Column("system_annotations", JSONB),
            sa.Column("properties", JSONB),
            sa.Column("label", sa.Text, nullable=False, primary_key=among),
        )

    def _transaction_logs(self) -> sa.Table:
        return sa.Table(
            "transaction_logs",
            self.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("submitter", sa.Text),
            sa.Column("role", sa.Text, nullable=False),
            sa.Column("program", sa.Text, nullable=False),
            sa.Column("project", sa.Text, nullable=False),
            sa.Column("committed_by", sa.Integer),
            sa.Column("is_dry_run", sa.Boolean, nullable=False),
            sa.Column("state", sa.Text, nullable=False),
            sa.Column("closed", sa.Boolean, nullable=False),
            sa.Column("created_datetime", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
            sa.Column("canonical_json", JSONB, nullable=False),
        )

    def _transaction_snapshots(self) -> sa.Table:
        table = sa.Table(
            "transaction_snapshots",
            self.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("entity_id", sa.Text, nullable=False),
            sa.Column("transaction_id", sa.Integer, sa.ForeignKey(self.transaction_logs.c.id)),
            sa.Column("action", sa.Text, nullable=False),
            sa.Column("old_props", JSONB, nullable=False),
            sa.Column("new_props", JSONB, nullable=False),
        )
        sa.Index("ix_transaction_snapshots_entity_id", table.c.entity_id)
        sa.Index("ix_transaction_snapshots_transaction_id", table.c.transaction_id)
        return table

    def _transaction_documents(self) -> sa.Table:
        table = sa.Table(
            "transaction_documents",
            self.metadata,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
            sa.Column("transaction_id", sa.Integer, sa.ForeignKey(self.transaction_logs.c.id), primary_key=True),
            sa.Column("name", sa.Text),
            sa.Column("doc_format", sa.Text, nullable=False),
            sa.Column("doc", sa.Text, nullable=False),
            sa.Column("response_json", JSONB),
        )
        sa.Index("document_transaction_idx", table.c.transaction_id)
        return table

    def _transaction_document_parts(self) -> sa.Table:
        """Our own: a document that is too long for one value, each part compressed by itself with zlib."""
        return sa.Table(
            "transaction_document_parts",
            self.metadata,
            sa.Column("transaction_id", sa.Integer, sa.ForeignKey(self.transaction_logs.c.id), primary_key=True),
            sa.Column("place", sa.Integer, primary_key=True),
            sa.Column("data", sa.LargeBinary, nullable=False),
        )

    def _transaction_jobs(self) -> sa.Table:
        """Our own: how far large submissions have come, and what is needed to begin one anew."""
        counts = ("rows_read", "rows_checked", "rows_written")
        moment = sa.DateTime(timezone=True)
        return sa.Table(
            "transaction_jobs",
            self.metadata,
            sa.Column("transaction_id", sa.Integer, sa.ForeignKey(self.transaction_logs.c.id), primary_key=True),
            sa.Column("detached", sa.Boolean, nullable=False),
            sa.Column("reader", sa.Boolean, nullable=False),
            sa.Column("content_type", sa.Text, nullable=False),
            sa.Column("name", sa.Text),
            sa.Column("file", sa.Text),
            sa.Column("bytes", sa.BigInteger, nullable=False),
            sa.Column("digest", sa.Text),
            sa.Column("stage", sa.Text, nullable=False),
            *(sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0")) for name in counts),
            sa.Column("claims", sa.Integer, nullable=False, server_default=sa.text("0")),
            sa.Column("updated", moment, nullable=False, server_default=sa.func.now()),
            sa.Column("finished", moment),
        )


def versions_table(metadata: sa.MetaData) -> sa.Table:
    """Our own: the dictionaries that have been in force, of which the last one is; see :mod:`.versions`."""
    return sa.Table(
        "dictionary_versions",
        metadata,
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("whence", sa.Text, nullable=False),
        sa.Column("source_digest", sa.Text),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("applied_by", sa.Text),
    )


def lock_name(schema: str) -> str:
    """What is locked, by the hash of its name, while a dictionary is worked with (shared) or changed (exclusive)."""
    return f"commonshub.dictionary.{schema}"


def hold_function(schema: str) -> str:
    """A function that keeps the dictionary from being changed until the transaction ends, and says which it is.

    It looks in a statement of its own, which sees what was committed while the one before it waited; written as one
    statement it would see what was true before it waited.
    """
    quoted = schema.replace('"', '""')
    name = lock_name(schema).replace("'", "''")
    return f"""
        create or replace function "{quoted}".{HOLD}() returns integer language plpgsql volatile as $function$
        begin
          perform pg_advisory_xact_lock_shared(hashtextextended('{name}', 0));
          return (select max(number) from "{quoted}".dictionary_versions);
        end
        $function$
    """  # noqa: S608 - names come from the configuration and are quoted


def _ddl(text: str) -> sa.DDL:
    return sa.DDL(text.replace("%", "%%"))  # type: ignore[no-untyped-call]


def _common_columns() -> list[sa.Column[Any]]:
    empty = sa.text("'{}'::jsonb")
    return [
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("acl", ARRAY(sa.Text)),
        sa.Column("_sysan", JSONB, server_default=empty),
        sa.Column("_props", JSONB, server_default=empty),
    ]


def _text(table: sa.Table, key: str) -> sa.ColumnElement[str]:
    text: sa.ColumnElement[str] = table.c._props[key].astext
    return text


def _lower(table: sa.Table, key: str) -> sa.ColumnElement[str]:
    return sa.func.lower(_text(table, key))


def _property_index(table: sa.Table, name: str, expressions: list[sa.ColumnElement[str]], unique: bool = False) -> None:
    # text_pattern_ops serves equality and LIKE 'x%' alike.
    labels = [f"key_{number}" for number in range(len(expressions))]
    labelled = [each.label(label) for each, label in zip(expressions, labels, strict=True)]
    sa.Index(name, *labelled, unique=unique, postgresql_ops=dict.fromkeys(labels, "text_pattern_ops"), _table=table)
