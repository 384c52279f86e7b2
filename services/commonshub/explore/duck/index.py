"""Writing an index file: the documents of a run, in the tables that questions are asked of.

It holds, for each document type, one table of documents with ``_rid``, their number, and one for each nest with
``_rid``, ``_eid``, the number of the element, and ``_pid``, that of the element around it. The nests are in the
documents as well, as lists of structs: a page reads the one, a filter the other.
"""

# ruff: noqa: S608 - names come from the catalogue and are quoted

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from ..catalog import AUTH_FIELD, DocType, Nest, dump, table_of
from ..extract import Progress
from ..inputs import Job
from ..plan import Document
from ..sql.frames import frame_of
from ..sql.names import quote
from .dialect import literal


def marks_of(file: Path) -> dict[str, str]:
    """The marks of the documents of an index, by type; none of one that cannot be read here, or has none."""
    try:
        # Attached, because a reader of this process may have it open with settings of its own.
        with duckdb.connect() as connection:
            connection.execute(f"attach {literal(str(file))} as earlier (read_only)")
            return dict(connection.execute("from earlier._mark").fetchall())
    except duckdb.Error:
        return {}


class Index:
    """An index file that is being written, attached to `connection` until it is complete.

    Parameters
    ----------
    connection
        Its own database takes helper tables.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, target: Path, todo: Job) -> None:
        self.connection = connection
        self.todo = todo
        self.kept = [doc_type for doc_type in todo.plan.doc_types if doc_type.name in todo.kept]
        self.counts = {doc_type.name: 0 for doc_type in todo.plan.doc_types}
        self._elements = 0
        if todo.earlier:
            # A copy of the file costs less than one of its rows.
            shutil.copyfile(todo.earlier, target)
        connection.execute(f"attach {literal(str(target))} as built")
        if todo.earlier:
            self._empty()

    def _empty(self) -> None:
        """Take out of a copy of the earlier index all but the documents that are taken over."""
        names = {table_of(*each) for doc_type in self.kept for each in _nests(doc_type, doc_type.name, ())}
        found = self.connection.execute("select table_name from duckdb_tables() where database_name = 'built'")
        for (name,) in found.fetchall():
            if name not in names:
                self.connection.execute(f"drop table built.{quote(name)}")
        # What is written next takes the room that is free now.
        self.connection.execute("checkpoint built")
        for doc_type in self.kept:
            self._count(doc_type)

    def frames(self) -> Iterator[tuple[str, str]]:
        """The documents that are taken over, as frames from which others take fields: names and queries."""
        for doc_type in self.kept:
            yield frame_of(doc_type.name), f"select *, {quote(doc_type.key)} as _id from {_table(doc_type.name)}"

    def write(self, run: int, documents: Callable[[Document], str], progress: Progress) -> dict[str, int]:
        """Write all of it.

        Parameters
        ----------
        documents
            The query of the documents of a type that is made; see :meth:`add`.

        Returns
        -------
        dict
            Number of documents by document type.
        """
        for number, document in enumerate(self.todo.made.documents):
            progress("writing", number, len(self.todo.made.documents))
            self.add(document.doc_type, documents(document))
        self._finish(run)
        return self.counts

    def add(self, doc_type: DocType, documents: str) -> None:
        """Write all documents of a type: the rows of a query with ``_rid``, the fields and the nests."""
        table = _table(doc_type.name)
        self.connection.execute(f"create table {table} as select * from ({documents}) order by _rid")
        self._count(doc_type)
        for nest in doc_type.nests:
            around = f"select _rid, null::bigint as _pid, {quote(nest.name)} as items from {table}"
            self._add_nest(nest, (doc_type.name, nest.name), around)

    def _count(self, doc_type: DocType) -> None:
        row = self.connection.execute(f"select count(*) from {_table(doc_type.name)}").fetchone()
        assert row is not None
        self.counts[doc_type.name] = int(row[0])

    def _add_nest(self, nest: Nest, names: tuple[str, ...], around: str) -> None:
        """Write the elements of ``items``, the lists that a query gives with ``_rid`` and ``_pid``."""
        order = "order by _rid, _pid, _at"
        taken = f"select _rid, _pid, unnest(items) as item, unnest(range(len(items))) as _at from ({around})"
        elements = f"(select row_number() over ({order}) as _eid, * from ({taken}))"
        if nest.nests:
            self._elements += 1
            name = f"elements_{self._elements}"
            self.connection.execute(f"create table {name} as select * from {elements}")
            elements = name
        fields = "".join(f", item.{quote(field.name)} as {quote(field.name)}" for field in nest.fields)
        self.connection.execute(
            f"create table {_table(*names)} as select _eid, _rid, _pid{fields} from {elements} order by _eid"
        )
        for child in nest.nests:
            inside = f"select _rid, _eid as _pid, item.{quote(child.name)} as items from {elements}"
            self._add_nest(child, (*names, child.name), inside)

    def _finish(self, run: int) -> None:
        """Write what a reader needs to understand the file, and a person to know where it came from."""
        plan = self.todo.plan
        execute = self.connection.execute
        execute(
            "create table built._run "
            "(run bigint, plan_digest varchar, built timestamptz, catalog varchar, counts varchar)"
        )
        facts = [run, plan.digest, json.dumps(dump(plan.doc_types)), json.dumps(self.counts)]
        execute("insert into built._run values (?, ?, now(), ?, ?)", facts)
        execute(
            "create table built._mapping "
            "(doc_type varchar, field varchar, type varchar, is_array boolean, nested varchar)"
        )
        rows = [row for doc_type in plan.doc_types for row in _described(doc_type)]
        self.connection.executemany("insert into built._mapping values (?, ?, ?, ?, ?)", rows)
        paths = " union ".join(f"select {AUTH_FIELD} as path from {_table(each.name)}" for each in plan.doc_types)
        execute(f"create table built._path as select path from ({paths}) where path is not null order by path")
        execute("create table built._mark (doc_type varchar, mark varchar)")
        self.connection.executemany("insert into built._mark values (?, ?)", list(self.todo.marks.items()))
        execute("detach built")


def _table(*names: str) -> str:
    return f"built.{quote(table_of(names[0], names[1:]))}"


def _nests(nest: Nest, doc_type: str, names: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A document type and each nest in it, depth first, as :func:`table_of` takes them."""
    yield doc_type, names
    for child in nest.nests:
        yield from _nests(child, doc_type, (*names, child.name))


def _described(doc_type: DocType) -> list[tuple[str, str, str, bool, str | None]]:
    return [
        (doc_type.name, place.path, place.field.kind, place.field.array, ".".join(place.nests) or None)
        for place in doc_type.places()
    ]
