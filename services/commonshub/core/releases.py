"""Releases: projects as they were at a moment, kept for good beside the graph.

Vocabulary
----------
release
    A copy of all records and links of one project, taken in one snapshot of the database. It has an ``id``,
    ``<project_id>-<n>``, which is never given twice, and a ``key``, the number that its rows carry.
freeze
    To make one.
checksum
    What tells whether a copy of the rows, wherever it is, is this release: see :mod:`commonshub.submission.freezing`.

The rows of all node types are in one table, and those of all links in another: what a release holds does not depend on
the tables that a later dictionary needs, so a change of the dictionary has nothing to make or to move here. Rows are
only ever added; triggers refuse to change or to remove them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from .dictionary import Link


class Release(NamedTuple):
    """What is known of a release.

    Parameters
    ----------
    key
        The number that its rows carry.
    number
        Which release of its project it is, from 1.
    created_by
        Who asked for it: a user, or a client that acts for itself.
    dictionary
        Digest of the dictionary of its time.
    counts, link_counts
        Records by node type, and links by :func:`link_key`.
    checksum
        SHA-256 in hexadecimal; None while the rows are being written, which nobody else sees.
    """

    key: int
    id: str
    program: str
    project: str
    project_id: str
    number: int
    name: str
    notes: str
    created_by: str | None
    created_datetime: datetime
    dictionary: str
    counts: Mapping[str, int]
    link_counts: Mapping[str, int]
    checksum: str | None

    def document(self) -> dict[str, Any]:
        """What is told of it."""
        told = self._asdict()
        del told["key"], told["program"], told["project"]
        return told


def link_key(link: Link) -> str:
    """What a link is called in the rows of a release: node type of the child, dot, name."""
    return f"{link.source}.{link.name}"


class Releases:
    """The tables of releases in one PostgreSQL schema, and which there are.

    Attributes
    ----------
    releases
        One row for each.
    nodes
        Records: ``release``, ``type``, ``node_id``, ``_props``.
    edges
        Links: ``release``, ``link``, ``src_id`` (child), ``dst_id`` (parent).
    """

    def __init__(self, schema: str) -> None:
        self.schema = schema
        metadata = sa.MetaData(schema=schema)
        self.releases = _releases(metadata)
        self.nodes = sa.Table(
            "release_nodes",
            metadata,
            sa.Column("release", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("type", sa.Text, primary_key=True),
            sa.Column("node_id", sa.Text, primary_key=True),
            sa.Column("_props", JSONB, nullable=False),
        )
        record = self.nodes.c
        sa.Index("release_nodes_submitter_id_idx", record.release, record.type, record._props["submitter_id"].astext)
        self.edges = sa.Table(
            "release_edges",
            metadata,
            sa.Column("release", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("link", sa.Text, primary_key=True),
            sa.Column("src_id", sa.Text, primary_key=True),
            sa.Column("dst_id", sa.Text, primary_key=True),
        )
        edge = self.edges.c
        sa.Index("release_edges_dst_id_idx", edge.release, edge.link, edge.dst_id, edge.src_id)

    def create(self, connection: sa.Connection) -> None:
        """Make the tables where they are missing; safe to call from many processes at once."""
        if self._there(connection):
            return
        lock = sa.text("select pg_advisory_xact_lock(hashtext('commonshub.releases.' || :s))")
        connection.execute(lock, {"s": self.schema})
        if self._there(connection):
            return
        connection.execute(sa.schema.CreateSchema(self.schema, if_not_exists=True))
        self.releases.metadata.create_all(connection, checkfirst=False)
        for statement in self._protection():
            connection.execute(sa.text(statement))

    def _there(self, connection: sa.Connection) -> bool:
        query = sa.text("select exists (select from pg_tables where schemaname = :s and tablename = :t)")
        return bool(connection.execute(query, {"s": self.schema, "t": self.edges.name}).scalar_one())

    def _protection(self) -> list[str]:
        """Statements that keep the rows as they are, and the planner informed of them."""
        schema = '"' + self.schema.replace('"', '""') + '"'
        refuse = f"{schema}.refuse_change_of_release"
        statements = [
            f"create function {refuse}() returns trigger language plpgsql as"
            " $$begin raise exception 'a release never changes' using errcode = 'restrict_violation'; end$$",
            f"create trigger final before update on {schema}.releases"
            f" for each row when (old.checksum is not null) execute function {refuse}()",
            f"create trigger kept before delete or truncate on {schema}.releases"
            f" for each statement execute function {refuse}()",
        ]
        for table, column in ((self.nodes.name, "type"), (self.edges.name, "link")):
            statements += [
                f"create trigger kept before update or delete or truncate on {schema}.{table}"
                f" for each statement execute function {refuse}()",
                f"create statistics {schema}.{table}_share (mcv) on release, {column} from {schema}.{table}",
            ]
        # Nothing is ever estimated from whole records, and looking into each takes long.
        return [*statements, f"alter table {schema}.{self.nodes.name} alter column _props set statistics 0"]

    # -- which there are -------------------------------------------------------

    def find(self, connection: sa.Connection, id_: str) -> Release | None:
        """A release by id."""
        row = connection.execute(sa.select(self.releases).where(self.releases.c.id == id_)).one_or_none()
        return Release(*row) if row else None

    def of_project(self, connection: sa.Connection, program: str, code: str) -> list[Release]:
        """The releases of a project, newest first."""
        mine = sa.and_(self.releases.c.program == program, self.releases.c.project == code)
        query = sa.select(self.releases).where(mine).order_by(self.releases.c.number.desc())
        return [Release(*row) for row in connection.execute(query)]

    # -- what they hold --------------------------------------------------------

    def records(self, release: Release, node_id: str) -> sa.Subquery:
        """The records of a node type, as a table with ``node_id`` and ``_props``."""
        nodes = self.nodes.c
        query = sa.select(nodes.node_id, nodes._props)
        return query.where(nodes.release == release.key, nodes.type == node_id).subquery()

    def links(self, release: Release, link: Link) -> sa.Subquery:
        """The links of a type, as a table with ``src_id`` and ``dst_id``."""
        edges = self.edges.c
        query = sa.select(edges.src_id, edges.dst_id)
        return query.where(edges.release == release.key, edges.link == link_key(link)).subquery()


def _releases(metadata: sa.MetaData) -> sa.Table:
    """The columns are those of :class:`Release`, in order."""
    texts: Sequence[str] = ("program", "project", "project_id")
    table = sa.Table(
        "releases",
        metadata,
        sa.Column("key", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text),
        sa.Column("created_datetime", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("dictionary", sa.Text, nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("link_counts", JSONB, nullable=False),
        sa.Column("checksum", sa.Text),
    )
    sa.Index("releases_project_idx", table.c.program, table.c.project, table.c.number, unique=True)
    return table
