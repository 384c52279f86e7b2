"""Executing a plan in DuckDB: from the extracted graph to an index file.

The file holds, for each document type, one table of documents with ``_rid``, their number, and one for each nest with
``_rid``, ``_eid``, the number of the element, and ``_pid``, that of the element around it. The nests are in the
documents as well, as lists of structs: a page reads the one, a filter the other.
"""

# ruff: noqa: S608 - names come from the mapping and the dictionary and are quoted, values are literals

import json
from pathlib import Path

import duckdb

from ..catalog import AUTH_FIELD, DocType, dump, table_of
from ..extract import Progress
from ..plan import Aggregator, Document, Nested, Plan
from .expressions import chain, columns, empty, listed, where
from .frames import Frames, Stage, frame_of
from .joins import column, joined
from .load import literal, load_graph, node, type_of
from .predicate import quote


def build(
    plan: Plan, folder: Path, target: Path, run: int, memory_bytes: int, threads: int, progress: Progress
) -> dict[str, int]:
    """Make the index `target` of the files in `folder`.

    Returns
    -------
    dict
        Number of documents by document type.
    """
    limits: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_bytes}B",
        "threads": str(threads),
        "temp_directory": str(folder / "spill"),
    }
    limits |= {"preserve_insertion_order": "false", "autoinstall_known_extensions": "false"}
    connection = duckdb.connect(str(target), config=limits)
    try:
        connection.execute(f"attach {literal(str(folder / 'stage.duckdb'))} as stage")
        load_graph(connection, plan, folder, progress)
        stage = Stage(connection)
        Frames(stage, plan).build(progress)
        counts = {}
        for number, document in enumerate(plan.documents):
            progress("writing", number, len(plan.documents))
            counts[document.doc_type.name] = _Writer(stage, document).write()
        _facts(connection, plan, run, counts)
        connection.execute("detach stage")
        connection.execute("checkpoint")
        return counts
    finally:
        connection.close()


class _Writer:
    """Writes the documents of one frame, with what other frames and nests add to it."""

    def __init__(self, stage: Stage, document: Document) -> None:
        self.stage = stage
        self.document = document
        self.doc_type = document.doc_type
        self.frame = frame_of(document.doc_type.name)

    def write(self) -> int:
        """Write them all; returns how many they are."""
        source, nests = f"{self.frame} f", []
        held = {field.name: column("f", field.name, self.doc_type.name) for field in self.doc_type.fields}
        if isinstance(self.document, Aggregator):
            for number, join in enumerate(self.document.joins):
                source += (
                    f" left join {joined(self.stage, self.doc_type.name, join)} j{number} on j{number}._key = f._rid"
                )
                for take in join.takes:
                    held[take.field.name] = empty(take, f"j{number}.{quote(take.field.name)}")
            for number, nested in enumerate(self.document.nested):
                around = f"select _rid, _id, null::bigint as _eid from {self.frame}"
                source += (
                    f" left join {self._nested(nested, (nested.name,), around)} n{number} on n{number}._key = f._rid"
                )
                nests.append(f"coalesce(n{number}.items, []) as {quote(nested.name)}")
        selected = [f"{held[field.name]}::{type_of(field)} as {quote(field.name)}" for field in self.doc_type.fields]
        table = quote(table_of(self.doc_type.name))
        self.stage.run(
            f"create table {table} as select f._rid{listed([*selected, *nests])} from {source} order by f._rid"
        )
        row = self.stage.connection.execute(f"select count(*) from {table}").fetchone()
        assert row is not None
        return int(row[0])

    def _nested(self, nested: Nested, names: tuple[str, ...], around: str) -> str:
        """Write the table of a nest; returns one of ``_key``, the row around, and ``items``, its list."""
        joins, last = chain(nested.path, "p._id", "e")
        table = quote(table_of(self.doc_type.name, names))
        rows = self.stage.table(
            f"select distinct on (p._rid, p._eid, n._id) p._rid, p._eid as _pid, n._id as _node"
            f"{listed(columns(nested.takes, 'n', nested.node))} "
            f"from ({around}) p {joins} join {node(nested.node)} n on n._id = {last} "
            f"where {where(nested.condition, 'n')}"
        )
        order = "order by _rid, _pid, _node"
        self.stage.run(f"create table {table} as select row_number() over ({order}) as _eid, * from {rows} {order}")
        source = f"{table} c"
        struct = [f"{quote(take.field.name)} := c.{quote(take.field.name)}" for take in nested.takes]
        for number, child in enumerate(nested.nested):
            part = self._nested(child, (*names, child.name), f"select _rid, _node as _id, _eid from {table}")
            source += f" left join {part} n{number} on n{number}._key = c._eid"
            struct.append(f"{quote(child.name)} := coalesce(n{number}.items, [])")
        key = "c._rid" if len(names) == 1 else "c._pid"
        items = f"list(struct_pack({', '.join(struct)}) order by c._eid) as items"
        return self.stage.table(f"select {key} as _key, {items} from {source} group by 1")


def _facts(connection: duckdb.DuckDBPyConnection, plan: Plan, run: int, counts: dict[str, int]) -> None:
    """What a reader needs to understand the file, and a person to know where it came from."""
    doc_types = plan.doc_types
    connection.execute(
        "create table _run (run bigint, plan_digest varchar, built timestamptz, catalog varchar, counts varchar)"
    )
    facts = [run, plan.digest, json.dumps(dump(doc_types)), json.dumps(counts)]
    connection.execute("insert into _run values (?, ?, now(), ?, ?)", facts)
    connection.execute(
        "create table _mapping (doc_type varchar, field varchar, type varchar, is_array boolean, nested varchar)"
    )
    rows = [row for doc_type in doc_types for row in _described(doc_type)]
    connection.executemany("insert into _mapping values (?, ?, ?, ?, ?)", rows)
    paths = " union ".join(f"select {AUTH_FIELD} as path from {quote(each.name)}" for each in doc_types)
    connection.execute(f"create table _path as select path from ({paths}) where path is not null order by path")


def _described(doc_type: DocType) -> list[tuple[str, str, str, bool, str | None]]:
    return [
        (doc_type.name, place.path, place.field.kind, place.field.array, ".".join(place.nests) or None)
        for place in doc_type.places()
    ]
