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


def _old(table: sa.Table) -> list[Any]:
    empty: Any = sa.literal_column("'{}'::text[]")
    return [table.c.created, sa.func.coalesce(table.c.acl, empty), table.c._sysan, table.c._props]


def void_nodes(graph: Graph, node_id: str, which: Any) -> sa.Insert:
    """Statement that keeps the rows of a node type for which the condition `which` holds."""
    table, voided = graph.node(node_id), graph.voided_nodes
    label = sa.literal(node_id, literal_execute=True)
    rows = sa.select(table.c.node_id, label, *_old(table)).where(which)
    return sa.insert(voided).from_select(["node_id", "label", *_OLD], rows).returning(voided.c.key)


def void_edges(graph: Graph, edges: Sequence[tuple[Link, Any]]) -> sa.Insert:
    """Statement that keeps the rows of links for which the condition beside each holds."""
    voided = graph.voided_edges
    parts = []
    for link, which in edges:
        table, label = graph.edge(link), sa.literal(link.label, literal_execute=True)
        parts.append(sa.select(table.c.src_id, table.c.dst_id, label.label("label"), *_old(table)).where(which))
    rows = sa.union_all(*parts) if len(parts) > 1 else parts[0]
    return sa.insert(voided).from_select(["src_id", "dst_id", "label", *_OLD], rows).returning(voided.c.key)


def edges_of(graph: Graph, node_id: str, ids: Any) -> list[tuple[Link, Any]]:
    """All links from and to records of a type, with the condition that they are those of `ids`."""
    links = dict.fromkeys((*graph.dictionary.nodes[node_id].links, *graph.dictionary.backlinks(node_id)))
    found = []
    for link in links:
        table = graph.edge(link)
        ends = [table.c.src_id] if link.source == node_id else []
        ends += [table.c.dst_id] if link.target == node_id else []
        found.append((link, sa.or_(*(end == sa.any_(ids) for end in ends))))
    return found


def keep(connection: sa.Connection, graph: Graph, node_id: str, id_: str, *, links: bool = False) -> None:
    """Keep one record as it is, before it is changed; with its links before it is deleted."""
    connection.execute(void_nodes(graph, node_id, graph.node(node_id).c.node_id == id_))
    if links and (edges := edges_of(graph, node_id, pg.array([id_]))):
        connection.execute(void_edges(graph, edges))
