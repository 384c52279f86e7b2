"""The records below others: their children in the same project, the children of these, and so on.

They are gathered in a table of the transaction's own, link by link and level by level, so that neither the number of
statements nor the memory grows with the records.
"""

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from ..core.dictionary import Link, NodeType
from ..core.graph import Graph
from .entity import Project
from .export import Row, by_ids
from .sources import Live

_TABLE = sa.Table(
    "commonshub_descent",
    sa.MetaData(),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("level", sa.Integer, nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


class Descent:
    """Records of a project, and all that are below them.

    Parameters
    ----------
    ids
        Records of the project, by node type.
    category
        Of the node types of those below that are of interest; empty for all. The way down leads through others, too.
    """

    def __init__(
        self,
        connection: sa.Connection,
        graph: Graph,
        project: Project,
        ids: Mapping[str, Sequence[str]],
        category: str = "",
    ) -> None:
        self._connection = connection
        self._graph = graph
        self._project = project
        self._category = category
        _TABLE.create(connection)
        for kind, those in ids.items():
            connection.execute(sa.insert(_TABLE), [{"kind": kind, "id": id_, "level": 0} for id_ in those])
        self._go_down(list(ids))
        connection.execute(sa.text(f"analyze {_TABLE.name}"))

    def _go_down(self, frontier: Sequence[str]) -> None:
        level = 0
        while frontier:
            below: dict[str, None] = {}
            for kind in frontier:
                for link in self._graph.dictionary.backlinks(kind):
                    if self._step(link, level):
                        below[link.source] = None
            frontier, level = list(below), level + 1

    def _step(self, link: Link, level: int) -> int:
        """Gather the children of one level by one link; how many of them are new."""
        edge, child = self._graph.edge(link), self._graph.node(link.source)
        parents = sa.and_(_TABLE.c.id == edge.c.dst_id, _TABLE.c.kind == link.target, _TABLE.c.level == level)
        mine = child.c._props["project_id"].astext == self._project.project_id
        found = (
            sa.select(sa.literal(link.source), edge.c.src_id, sa.literal(level + 1))
            .distinct()
            .select_from(edge)
            .join(_TABLE, parents)
            .join(child, child.c.node_id == edge.c.src_id)
            .where(mine)
        )
        insert = pg.insert(_TABLE).from_select(["kind", "id", "level"], found).on_conflict_do_nothing()
        return self._connection.execute(insert).rowcount

    def kinds(self) -> list[str]:
        """The node types of what there is, in the order of the dictionary."""
        found = self._connection.execute(sa.select(_TABLE.c.kind, sa.func.min(_TABLE.c.level)).group_by(_TABLE.c.kind))
        nodes = self._graph.dictionary.nodes
        there = {kind for kind, level in found if level == 0 or self._category in ("", nodes[kind].category)}
        return [kind for kind in nodes if kind in there]

    def pages(self, node: NodeType, limit: int) -> Iterator[Sequence[Row]]:
        """The records of a type, so many at a time."""
        query = sa.select(_TABLE.c.id).where(_TABLE.c.kind == node.id, _TABLE.c.id > sa.bindparam("last"))
        if self._category not in ("", node.category):
            query = query.where(_TABLE.c.level == 0)
        query, last = query.order_by(_TABLE.c.id).limit(limit), ""
        while ids := self._connection.scalars(query, {"last": last}).all():
            yield by_ids(self._connection, Live(self._graph, self._project), node, ids)
            last = ids[-1]
