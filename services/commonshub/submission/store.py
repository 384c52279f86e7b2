"""The SQL of submissions: a fixed number of statements for any number of records.

Records travel as one JSON text that PostgreSQL takes apart itself, which costs the client nothing per row.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import JSONB

from ..core.dictionary import Link
from ..core.graph import CHANNEL, HOLD, Graph
from .entity import Project
from .finding import Finding, texts
from .history import edges_of, void_edges, void_nodes
from .logstore import LogRow, LogStore

Edges = Sequence[tuple[str, str]]
"""Ids ``(child, parent)``."""
_NO_EDGES: Mapping[Link, Edges] = MappingProxyType({})


def _given_ends(place: int) -> Any:
    """The ends of edges, from two parameters, as rows ``(source, target)``."""
    ends = sa.func.unnest(texts(f"sources_{place}"), texts(f"targets_{place}"))
    return ends.table_valued(sa.column("source", sa.Text), sa.column("target", sa.Text)).render_derived()


def _ends(edges: Edges, place: int) -> dict[str, list[str]]:
    sources, targets = zip(*edges, strict=True) if edges else ((), ())
    return {f"sources_{place}": list(sources), f"targets_{place}": list(targets)}


def _given(name: str = "rows") -> Any:
    """The records of a JSON parameter as rows ``(i, p)``: id and properties."""
    columns = (sa.column("i", sa.Text), sa.column("p", JSONB))
    text = sa.cast(sa.bindparam(name, type_=sa.Text), JSONB)
    derived = sa.func.jsonb_to_recordset(text).table_valued(*columns).render_derived(name="r", with_types=True)
    return sa.select(derived).cte("given")


class Outdated(Exception):
    """Another version of the dictionary has come into force: what was read by this one has to be read anew."""


class Store(Finding):
    """The graph of one commons in its database.

    Parameters
    ----------
    number
        Of the dictionary's version.

    Attributes
    ----------
    log
        What is kept of transactions.
    """

    def __init__(self, graph: Graph, number: int) -> None:
        super().__init__(graph)
        self.number = number
        self.log = LogStore(graph)
        links = graph.dictionary.nodes["project"].links
        self.program_link = next(link for link in links if link.target == "program")

    # -- programs and projects ---------------------------------------------------

    def hold(self, connection: sa.Connection) -> None:
        """Keep the dictionary from being changed until the transaction ends.

        Raises
        ------
        Outdated
            It has been, before.
        """
        self._check(connection.execute(sa.select(self._held())).scalar_one())

    def _held(self) -> sa.ColumnElement[int]:
        function: sa.ColumnElement[int] = getattr(getattr(sa.func, self.graph.schema), HOLD)(type_=sa.Integer)
        return function

    def _check(self, number: int) -> None:
        if number != self.number:
            raise Outdated(number)

    def project(self, connection: sa.Connection, program: str, code: str, lock: bool = False) -> Project | None:
        """A project by the names in its path.

        Parameters
        ----------
        lock
            Keep it from being deleted, and the dictionary from being changed, until the transaction ends.

        Raises
        ------
        Outdated
            As :meth:`hold`, with `lock`.
        """
        query = self._statement(("project", lock), lambda: self._locked() if lock else self._named())
        row = connection.execute(query, {"program": program, "code": code}).one_or_none()
        if row is None:
            return None
        if lock:
            self._check(row[2])
        return Project(program, code, row[0], row[1])

    def begin(self, connection: sa.Connection, program: str, code: str, log: LogRow) -> tuple[Project, int] | None:
        """A project, locked as by :meth:`project`, and the number of the transaction whose row of the log is written.

        Where there is no such project the caller must roll back.

        Raises
        ------
        Outdated
            As :meth:`hold`.
        """

        def build() -> Any:
            logged = self.log.writing(log).cte("logged")
            return self._locked().add_columns(sa.select(logged.c.id).scalar_subquery())

        query = self._statement(("begin", "id" in log), build)
        row = connection.execute(query, {**log, "program": program, "code": code}).one_or_none()
        if row is None:
            return None
        self._check(row[2])
        return Project(program, code, row[0], row[1]), int(row[3])

    def _named(self) -> sa.Select[Any]:
        projects, programs = self.graph.node("project"), self.graph.node("program")
        edges = self.graph.edge(self.program_link)
        names = programs.c._props["name"].astext == sa.bindparam("program", type_=sa.Text)
        codes = projects.c._props["code"].astext == sa.bindparam("code", type_=sa.Text)
        return (
            sa.select(projects.c.node_id, projects.c._props)
            .join(edges, edges.c.src_id == projects.c.node_id)
            .join(programs, programs.c.node_id == edges.c.dst_id)
            .where(names, codes)
        )

    def _locked(self) -> sa.Select[Any]:
        held = self._named().add_columns(self._held())
        return held.with_for_update(key_share=True, read=True, of=self.graph.node("project"))

    # -- writing -------------------------------------------------------------------

    def insert_nodes(
        self,
        connection: sa.Connection,
        node_id: str,
        rows: Sequence[Mapping[str, Any]],
        transaction_id: int,
        edges: Mapping[Link, Edges] = _NO_EDGES,
    ) -> set[str]:
        """Store new records ``{"i": id, "p": properties}``, their snapshots and their links.

        Returns
        -------
        set of str
            Ids that were stored. The others met a record with the same id or key, perhaps a moment old; the caller
            must then roll back.
        """
        table = self.graph.node(node_id)

        def build() -> Any:
            given = _given()
            insert = pg.insert(table).from_select(["node_id", "_props"], sa.select(given.c.i, given.c.p))
            made = insert.on_conflict_do_nothing().returning(table.c.node_id, table.c._props).cte("made")
            nothing: Any = sa.literal_column("'{}'::jsonb")
            snapshot = self._snapshot(made.c.node_id, "create", nothing, made.c._props)
            added = [self._new_edges(link, place).cte(f"added_{place}") for place, link in enumerate(edges)]
            return sa.select(made.c.node_id).add_cte(snapshot.cte("snapshot"), *added)

        parameters: dict[str, Any] = {"rows": orjson.dumps(rows).decode(), "transaction_id": transaction_id}
        for place, those in enumerate(edges.values()):
            parameters |= _ends(those, place)
        statement = self._statement(("insert_nodes", node_id, *edges), build)
        return set(connection.execute(statement, parameters).scalars())

    def update_nodes(
        self, connection: sa.Connection, node_id: str, rows: Sequence[Mapping[str, Any]], transaction_id: int
    ) -> None:
        """Replace properties of records ``{"i": id, "p": new}`` that were locked before."""
        table = self.graph.node(node_id)

        def build() -> Any:
            given = _given()
            old = sa.select(*table.c, given.c.p).join_from(table, given, table.c.node_id == given.c.i).cte("old")
            snapshot = self._snapshot(old.c.node_id, "update", old.c._props, old.c.p)
            voided = void_nodes(self.graph, node_id, old)
            update = sa.update(table).values(_props=old.c.p).where(table.c.node_id == old.c.node_id)
            return update.add_cte(snapshot.cte("snapshot"), voided.cte("voided"))

        parameters = {"rows": orjson.dumps(rows).decode(), "transaction_id": transaction_id}
        connection.execute(self._statement(("update_nodes", node_id), build), parameters)

    def delete_nodes(self, connection: sa.Connection, node_id: str, ids: Sequence[str], transaction_id: int) -> None:
        """Delete records with their edges, and note what they were."""
        table = self.graph.node(node_id)

        def build() -> Any:
            which = table.c.node_id == sa.any_(texts("ids"))
            gone = sa.delete(table).where(which).returning(*table.c).cte("gone")
            snapshot = self._snapshot(gone.c.node_id, "delete", gone.c._props, sa.literal_column("'{}'::jsonb"))
            voided = void_nodes(self.graph, node_id, gone).cte("voided")
            return sa.select(sa.func.count()).select_from(gone).add_cte(snapshot.cte("snapshot"), voided)

        parameters = {"ids": list(ids), "transaction_id": transaction_id}
        if edges := edges_of(self.graph, node_id, texts("ids")):
            void = self._statement(("void_edges", node_id), lambda: void_edges(self.graph, edges))
            connection.execute(void, {"ids": list(ids)})
        connection.execute(self._statement(("delete_nodes", node_id), build), parameters)

    def annotate(self, connection: sa.Connection, node_id: str, ids: Sequence[str], marks: Mapping[str, Any]) -> None:
        """Add to the annotations of records, which are none of their properties."""
        table = self.graph.node(node_id)

        def build() -> Any:
            given = sa.cast(sa.bindparam("marks", type_=sa.Text), JSONB)
            merged = sa.func.coalesce(table.c._sysan, sa.literal_column("'{}'::jsonb")).op("||")(given)
            which = table.c.node_id == sa.any_(texts("ids"))
            voided = void_nodes(self.graph, node_id, table, which)
            return sa.update(table).values(_sysan=merged).where(which).add_cte(voided.cte("voided"))

        parameters = {"ids": list(ids), "marks": orjson.dumps(marks).decode()}
        connection.execute(self._statement(("annotate", node_id), build), parameters)

    def _snapshot(self, id_: Any, action: str, old: Any, new: Any) -> Any:
        transaction = sa.bindparam("transaction_id", type_=sa.Integer)
        names = ["entity_id", "transaction_id", "action", "old_props", "new_props"]
        query = sa.select(id_, transaction, sa.literal(action, literal_execute=True), old, new)
        snapshots = self.graph.transaction_snapshots
        return sa.insert(snapshots).from_select(names, query).returning(snapshots.c.id)

    def replace_edges(self, connection: sa.Connection, link: Link, cleared: Sequence[str], edges: Edges) -> None:
        """Let the children in `cleared` have no other edges than ``(child, parent)`` of `edges`, and add those.

        What is there already stays as it is.
        """
        table, parameters = self.graph.edge(link), _ends(edges, 0)

        def clear() -> Any:
            kept = sa.tuple_(table.c.src_id, table.c.dst_id).in_(sa.select(_given_ends(0)))
            which = sa.and_(table.c.src_id == sa.any_(texts("ids")), ~kept)
            gone = sa.delete(table).where(which).returning(*table.c).cte("gone")
            return void_edges(self.graph, [(link, gone, None)])

        if cleared:
            connection.execute(self._statement(("clear", link), clear), {**parameters, "ids": list(cleared)})
        if edges:
            added = self._statement(("edges", link), lambda: self._new_edges(link, 0).on_conflict_do_nothing())
            connection.execute(added, parameters)

    def _new_edges(self, link: Link, place: int) -> Any:
        given = sa.select(_given_ends(place))
        return pg.insert(self.graph.edge(link)).from_select(["src_id", "dst_id"], given)

    # -- locks and notices ---------------------------------------------------------

    def begin_large(self, connection: sa.Connection, project_id: str, timeout_s: int) -> None:
        """Make the transaction one of many chunks: no two of them work on a project, and each may take its time."""
        connection.execute(sa.text(f"set local statement_timeout = {1000 * timeout_s}"))
        self.lock(connection, project_id)

    def lock(self, connection: sa.Connection, name: str) -> None:
        """Wait until no other transaction has the lock of this name, and have it until the end."""
        lock = sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))")
        connection.execute(lock, {"name": f"commonshub.submission.{self.graph.schema}.{name}"})

    def check_edges(self, connection: sa.Connection) -> None:
        """Let PostgreSQL check the ends of all new edges now, and not only at the commit."""
        connection.execute(sa.text("set constraints all immediate"))

    def announce(self, connection: sa.Connection, project_id: str) -> None:
        """Tell everybody who follows the graph, at the commit."""
        connection.execute(sa.select(sa.func.pg_notify(CHANNEL, project_id)))


def grouped(items: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """Values by their first member, in order."""
    found: dict[Any, list[Any]] = {}
    for key, value in items:
        found.setdefault(key, []).append(value)
    return found
