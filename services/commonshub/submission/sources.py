"""Where the records of a project are read from: the graph as it is now, or a release."""

from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from ..core.dictionary import Dictionary, Link, NodeType
from ..core.graph import Graph
from ..core.releases import Release, Releases
from .entity import Project


class Source(Protocol):
    """One project's records and links, by type.

    Attributes
    ----------
    dictionary
        What the types are.
    """

    @property
    def dictionary(self) -> Dictionary: ...

    def records(self, node: NodeType) -> sa.FromClause:
        """Records of a node type, as a table with ``node_id`` and ``_props``; of programs, that of the project."""
        ...

    def links(self, link: Link) -> sa.FromClause:
        """A table with ``src_id`` and ``dst_id`` that has all links of a type that start from those records."""
        ...

    def targets(self, link: Link) -> sa.FromClause:
        """A table with ``node_id`` and ``_props`` that has the records that links of a type lead to."""
        ...


@dataclass(frozen=True)
class Live:
    """A project in the graph."""

    graph: Graph
    project: Project

    @property
    def dictionary(self) -> Dictionary:
        """The dictionary of the graph."""
        return self.graph.dictionary

    def records(self, node: NodeType) -> sa.FromClause:
        """See :class:`Source`."""
        table = self.graph.node(node.id)
        if node.id == "project":
            mine = table.c.node_id == self.project.id
        elif node.id == "program":
            mine = table.c._props["name"].astext == self.project.program
        else:
            mine = table.c._props["project_id"].astext == self.project.project_id
        return sa.select(table.c.node_id, table.c._props).where(mine).subquery()

    def links(self, link: Link) -> sa.FromClause:
        """See :class:`Source`; links of other projects are among them."""
        return self.graph.edge(link)

    def targets(self, link: Link) -> sa.FromClause:
        """See :class:`Source`; records of other projects are among them."""
        return self.graph.node(link.target)


@dataclass(frozen=True)
class Frozen:
    """A release."""

    dictionary: Dictionary
    releases: Releases
    release: Release

    def records(self, node: NodeType) -> sa.FromClause:
        """See :class:`Source`."""
        return self.releases.records(self.release, node.id)

    def links(self, link: Link) -> sa.FromClause:
        """See :class:`Source`."""
        return self.releases.links(self.release, link)

    def targets(self, link: Link) -> sa.FromClause:
        """See :class:`Source`."""
        return self.releases.records(self.release, link.target)
