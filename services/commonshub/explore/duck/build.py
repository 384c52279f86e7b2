"""Executing a plan in DuckDB: from the extracted graph to an index file.

The file holds, for each document type, one table of documents with ``_rid``, their number, and one for each nest with
``_rid``, ``_eid``, the number of the element, and ``_pid``, that of the element around it. The nests are in the
documents as well, as lists of structs: a page reads the one, a filter the other.
"""

# ruff: noqa: S608 - names come from the mapping and the dictionary and are quoted, values are literals

import json
from pathlib import Path

import duckdb

from ..catalog import AUTH_FIELD, DocType, Field, dump, table_of
from ..extract import Progress
from ..plan import Aggregator, Document, Join, Nested, Plan, Take
from .expressions import chain, columns, empty, listed, where
from .frames import Frames, Stage, frame_of
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
        progress("loading", 0, 1)
        load_graph(connection, plan, folder)
        stage = Stage(connection)
        progress("flattening", 0, 1)
        Frames(stage, plan).build()
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
        held = {field.name: _column("f", field.name, self.doc_type.name) for field in self.doc_type.fields}
        if isinstance(self.document, Aggregator):
            for number, join in enumerate(self.document.joins):
                source += f" left join {self._join(join)} j{number} on j{number}._key = f._rid"
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

    def _join(self, join: Join) -> str:
        """Fields of the documents of another entry that agree with ours, each counted once.

        Only documents of the same project are joined: whoever may read ours may read those.
        """
        other = frame_of(join.doc_type)
        own = [_compared(mine, "f", self.doc_type.name, number) for number, (mine, _) in enumerate(join.on)]
        their = [_compared(field, "o", join.doc_type, number) for number, (_, field) in enumerate(join.on)]
        agreeing = " and ".join(f"m.k{number} = t.k{number}" for number in range(len(join.on)))
        pairs = self.stage.table(
            "select distinct m._rid, t._rid as other from "
            f"(select f._rid, f.{AUTH_FIELD} as path{listed(own)} from {self.frame} f) m join "
            f"(select o._rid, o.{AUTH_FIELD} as path{listed(their)} from {other} o) t on m.path = t.path and {agreeing}"
        )
        found = f"from {pairs} p join {other} o on o._rid = p.other"
        first = [take for take in join.takes if take.function is None]
        parts = []
        if first:
            picked = [f"{_source(take, join.doc_type)} as {quote(take.field.name)}" for take in first]
            one = "qualify row_number() over (partition by p._rid order by p.other) = 1"
            parts.append(self.stage.table(f"select p._rid as _key{listed(picked)} {found} {one}"))
        reducing = [(take, _source(take, join.doc_type)) for take in join.takes if take.function is not None]
        if reducing:
            parts.append(self.stage.reduced("p._rid", found, reducing))
        return parts[0] if len(parts) == 1 else self.stage.table(f"from {parts[0]} full join {parts[1]} using (_key)")

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


def _column(alias: str, name: str, doc_type: str) -> str:
    return f"{alias}._id" if name == f"_{doc_type}_id" else f"{alias}.{quote(name)}"


def _source(take: Take, doc_type: str) -> str:
    return _column("o", take.source, doc_type) if take.source else ""


def _compared(field: Field, alias: str, doc_type: str, number: int) -> str:
    """A field of a join's condition; a list is taken apart, so that lists agree in any element."""
    column = _column(alias, field.name, doc_type)
    return f"{f'unnest({column})' if field.array else column}::varchar as k{number}"


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
