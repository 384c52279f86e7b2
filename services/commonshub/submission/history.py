"""What records and links were before, kept where Gen3's databases keep it: in ``_voided_nodes`` and ``_voided_edges``.

A copy of the whole row is written by the statement that changes or deletes it, or just before; what is new has no past
and costs nothing. Users are answered from the snapshots of transactions, which know who changed what, and when. These
tables know the rest of a row as well (annotations, access lists, links), and are where an operator looks for it who
goes back to Gen3's own services.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from ..core.dictionary import Link
from ..core.graph import Graph

_OLD = ("created", "acl", "system_annotations", "properties")


def _old(rows: sa.FromClause) -> list[Any]:
    empty: Any = sa.literal_column("'{}'::text[]")
    return [rows.c.created, sa.func.coalesce(rows.c.acl, empty), rows.c._sysan, rows.c._props]


def void_nodes(graph: Graph, node_id: str, rows: sa.FromClause, which: Any = None) -> sa.Insert:
    """Statement that keeps rows of a node type.

    Parameters
    ----------
    rows
        Its table, or what a statement has deleted of it.
    which
        Condition of those to be kept; by default all are.
    """
    label = sa.literal(node_id, literal_execute=True)
    found = sa.select(rows.c.node_id, label, *_old(rows))
    names = ["node_id", "label", *_OLD]
    return sa.insert(graph.voided_nodes).from_select(names, found if which is None else found.where(which))


def void_edges(graph: Graph, edges: Sequence[tuple[Link, sa.FromClause, Any]]) -> sa.Insert:
    """The same for rows of links, each with its `rows` and `which`."""
    parts = []
    for link, rows, which in edges:
        label = sa.literal(link.label, literal_execute=True).label("label")
        found = sa.select(rows.c.src_id, rows.c.dst_id, label, *_old(rows))
        parts.append(found if which is None else found.where(which))
    every = sa.union_all(*parts) if len(parts) > 1 else parts[0]
    return sa.insert(graph.voided_edges).from_select(["src_id", "dst_id", "label", *_OLD], every)


def edges_of(graph: Graph, node_id: str, ids: Any) -> list[tuple[Link, sa.FromClause, Any]]:
    """All links from and to records of a type, with their tables and the condition that they are those of `ids`."""
    links = dict.fromkeys((*graph.dictionary.nodes[node_id].links, *graph.dictionary.backlinks(node_id)))
    found: list[tuple[Link, sa.FromClause, Any]] = []
    for link in links:
        table = graph.edge(link)
        ends = [table.c.src_id] if link.source == node_id else []
        ends += [table.c.dst_id] if link.target == node_id else []
        found.append((link, table, sa.or_(*(end == sa.any_(ids) for end in ends))))
    return found


def keep(connection: sa.Connection, graph: Graph, node_id: str, id_: str, *, links: bool = False) -> None:
    """Keep one record as it is, before it is changed; with its links before it is deleted."""
    table = graph.node(node_id)
    connection.execute(void_nodes(graph, node_id, table, table.c.node_id == id_))
    if links and (edges := edges_of(graph, node_id, pg.array([id_]))):
        connection.execute(void_edges(graph, edges))
