"""The SQL that finds records, and holds what a submission depends on until its transaction ends.

Statements are built once for each node type or link. Keys are compared with PostgreSQL's own ``lower``, because it is
what the unique indexes use.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.util import LRUCache

from ..core.dictionary import Link
from ..core.graph import Graph
from ..core.texts import TEXTS

_NOTHING: sa.ColumnElement[int] = sa.literal_column("0")
# Which links new records have makes statements of their own: of a type with many links, more than are worth keeping.
_MOST_BUILT = 2000


class Stored(NamedTuple):
    """A record in the database."""

    id: str
    properties: Mapping[str, Any]


class Owner(NamedTuple):
    """Where an id is taken."""

    type: str
    project_id: str | None


def texts(name: str) -> sa.BindParameter[Any]:
    """A parameter that is a list of texts."""
    return sa.bindparam(name, type_=TEXTS)


def _unnest(name: str) -> Any:
    """The texts of a parameter as rows ``(value, place)``, place from 1."""
    return (
        sa.func.unnest(texts(name)).table_valued(sa.column("value", sa.Text), with_ordinality="place").render_derived()
    )


class Finding:
    """Finds records of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._built: LRUCache[Any, Any] = LRUCache(_MOST_BUILT)

    def _statement(self, key: Any, build: Callable[[], Any]) -> Any:
        made = self._built.get(key)
        if made is None:
            made = self._built[key] = build()
        return made

    def by_key(
        self, connection: sa.Connection, node_id: str, project_id: str, keys: Sequence[str]
    ) -> dict[str, Stored]:
        """Records by submitter_id, without regard to case, locked for an update; by the key as it was given."""
        table = self.graph.node(node_id)

        def build() -> Any:
            wanted = sa.select(table.c.node_id, table.c._props).with_for_update(key_share=True)
            return self._each_key(node_id, wanted)

        rows = connection.execute(
            self._statement(("by_key", node_id), build), {"keys": list(keys), "project_id": project_id}
        )
        return {keys[place - 1]: Stored(id_, properties) for place, id_, properties in rows}

    def by_id(
        self, connection: sa.Connection, node_id: str, project_id: str, ids: Sequence[str], delete: bool = False
    ) -> dict[str, Stored]:
        """Records of a project by id, locked for an update.

        Parameters
        ----------
        delete
            Lock them for their end: wait for submissions that link to them, and let later ones wait.
        """
        table = self.graph.node(node_id)

        def build() -> Any:
            query = sa.select(table.c.node_id, table.c._props)
            mine = table.c._props["project_id"].astext == sa.bindparam("project_id", type_=sa.Text)
            wanted = query.where(table.c.node_id == sa.any_(texts("ids")), mine)
            return wanted.order_by(table.c.node_id).with_for_update(key_share=not delete)

        rows = connection.execute(
            self._statement(("by_id", node_id, delete), build), {"ids": list(ids), "project_id": project_id}
        )
        return {id_: Stored(id_, properties) for id_, properties in rows}

    def _each_key(self, node_id: str, wanted: sa.Select[Any]) -> sa.Select[Any]:
        """For each of the parameter ``keys`` its place and what is `wanted` of the record with it, if there is one."""
        table, given, lower = self.graph.node(node_id), _unnest("keys"), sa.func.lower
        found = wanted.where(
            lower(table.c._props["project_id"].astext) == lower(sa.bindparam("project_id", type_=sa.Text)),
            lower(table.c._props["submitter_id"].astext) == lower(given.c.value),
        )
        if any("submitter_id" in keys for keys in self.graph.dictionary.nodes[node_id].unique_keys):
            # There is an index. PostgreSQL does not know what it costs to take the keys of a whole table out of their
            # records, and would do so up to some 50,000 of them; an offset, of nothing, lets it look up each key.
            found = found.offset(_NOTHING)
        each = found.lateral()
        return sa.select(given.c.place, *each.c).select_from(given.join(each, sa.true()))

    def owners(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, Owner]:
        """Node type and project of ids, wherever in the commons they are."""

        def build() -> Any:
            wanted = texts("ids")
            parts = []
            for node_id in self.graph.dictionary.nodes:
                table = self.graph.node(node_id)
                project_id = table.c._props["project_id"].astext.label("project_id")
                part = sa.select(table.c.node_id, sa.literal(node_id, literal_execute=True).label("type"), project_id)
                parts.append(part.where(table.c.node_id == sa.any_(wanted)))
            return sa.union_all(*parts)

        if not ids:
            return {}
        rows = connection.execute(self._statement("owners", build), {"ids": list(ids)})
        return {id_: Owner(kind, project_id) for id_, kind, project_id in rows}

    def targets_by_key(
        self, connection: sa.Connection, node_id: str, project_id: str, keys: Sequence[str], exclusive: bool
    ) -> dict[str, str]:
        """Ids of link targets by submitter_id as it was given; they cannot go away until the transaction ends.

        Parameters
        ----------
        exclusive
            Wait for other submissions that link to the same targets, where a target may have only one child.
        """
        table = self.graph.node(node_id)

        def build() -> Any:
            return self._each_key(node_id, _hold(sa.select(table.c.node_id), exclusive))

        rows = connection.execute(
            self._statement(("targets_by_key", node_id, exclusive), build),
            {"keys": list(keys), "project_id": project_id},
        )
        return {keys[place - 1]: id_ for place, id_ in rows}

    def targets_by_id(
        self, connection: sa.Connection, node_id: str, project_id: str, ids: Sequence[str], exclusive: bool
    ) -> set[str]:
        """Which of these ids are link targets in the project; held as by :meth:`targets_by_key`."""
        table = self.graph.node(node_id)

        def build() -> Any:
            mine = table.c._props["project_id"].astext == sa.bindparam("project_id", type_=sa.Text)
            query = sa.select(table.c.node_id).where(table.c.node_id == sa.any_(texts("ids")), mine)
            return _hold(query, exclusive)

        statement = self._statement(("targets_by_id", node_id, exclusive), build)
        return set(connection.execute(statement, {"ids": list(ids), "project_id": project_id}).scalars())

    def parents(self, connection: sa.Connection, node_id: str, ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """Stored edges ``(link name, child, parent)`` of records of one type."""
        links = self.graph.dictionary.nodes[node_id].links

        def build() -> Any:
            parts = []
            for link in links:
                edge = self.graph.edge(link)
                name = sa.literal(link.name, literal_execute=True).label("name")
                parts.append(
                    sa.select(name, edge.c.src_id, edge.c.dst_id).where(edge.c.src_id == sa.any_(texts("ids")))
                )
            return sa.union_all(*parts)

        if not links or not ids:
            return []
        rows = connection.execute(self._statement(("parents", node_id), build), {"ids": list(ids)})
        return [(name, child, parent) for name, child, parent in rows]

    def children(self, connection: sa.Connection, link: Link, parents: Sequence[str]) -> list[tuple[str, str]]:
        """Stored edges ``(child, parent)`` of one link to some parents."""
        edge = self.graph.edge(link)
        query = self._statement(
            ("children", link),
            lambda: sa.select(edge.c.src_id, edge.c.dst_id).where(edge.c.dst_id == sa.any_(texts("ids"))),
        )
        return [(child, parent) for child, parent in connection.execute(query, {"ids": list(parents)})]


def _hold(query: Any, exclusive: bool) -> Any:
    return query.with_for_update(key_share=True, read=not exclusive)
