"""Freezing a project: its records and links are copied as they are at one moment, and a checksum is taken.

The caller's transaction must see one snapshot of the database (repeatable read), so that of a submission that is under
way all is in the release, or nothing.

The checksum is the SHA-256 of the SHA-256s of all lines, as bytes, in ascending order. There is a line for each record
and one for each link, and each is the text that PostgreSQL gives a ``jsonb`` value: the shortest keys first, equally
long ones by their bytes, ``", "`` and ``": "`` in between, numbers written out. A record has ``id``, ``type`` and its
properties, without nulls; a link has ``link`` (as ``sample.cases``), ``source`` (the child's id) and ``target``. So
neither the order of records counts nor how they are divided among files, and an export has all that is needed. The
record of the program, which the release keeps for reading, is none of the project's and does not count.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from ..core.dictionary import Link, NodeType
from ..core.errors import Conflict
from ..core.releases import Release, Releases, link_key
from . import journal
from .entity import Outcome, Project
from .opening import find_project
from .progress import CHECKSUM, COMMIT, LINKS, Progress
from .request import Submission
from .sources import Live
from .store import Store
from .transaction import Tools

FREEZE = "release"
"""Role of the transaction in the log."""


@dataclass(frozen=True)
class Words:
    """What whoever asks for a release says of it."""

    name: str
    notes: str

    def document(self) -> dict[str, str]:
        """What the log keeps of it."""
        return {"name": self.name, "notes": self.notes}


def freeze(
    connection: sa.Connection,
    tools: Tools,
    submission: Submission,
    progress: Progress,
    *,
    releases: Releases,
    words: Words,
) -> Outcome:
    """Make a release of a project, and tell of it as ``release`` in the answer.

    Raises
    ------
    NotFound
        There is no such project.
    Conflict
        Another project has the same id.
    """
    connection.execute(sa.text(f"set local statement_timeout = {1000 * tools.sizes.large_timeout_s}"))
    return Freezer(tools.store, releases, words).freeze(connection, submission, progress)


@dataclass(frozen=True)
class Freezer:
    """Freezes projects of one graph."""

    store: Store
    releases: Releases
    words: Words

    def freeze(self, connection: sa.Connection, submission: Submission, progress: Progress) -> Outcome:
        """See :func:`freeze`."""
        progress.start()
        project = find_project(self.store, connection, submission.program, submission.code, lock=True)
        key = self._begin(connection, project, submission.username)
        counts = self._copy_records(connection, project, key, progress)
        progress.stage = LINKS
        link_counts = self._copy_links(connection, key, counts, progress)
        progress.stage = CHECKSUM
        counts.pop("program", None)
        release = self._finish(connection, key, counts, link_counts)
        progress.check()
        progress.stage = COMMIT
        return self._log(connection, submission, release)

    def _begin(self, connection: sa.Connection, project: Project, username: str | None) -> int:
        """Take the next number. Who comes second waits here, and then begins anew with a later snapshot."""
        name = f"commonshub.release.{self.releases.schema}.{project.project_id}"
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
        self._refuse_shared(connection, project)
        table = self.releases.releases
        last = sa.select(sa.func.max(table.c.number)).where(table.c.project_id == project.project_id)
        number = (connection.execute(last).scalar_one() or 0) + 1
        row: dict[str, Any] = {
            "id": f"{project.project_id}-{number}",
            "program": project.program,
            "project": project.code,
            "project_id": project.project_id,
            "number": number,
            "name": self.words.name,
            "notes": self.words.notes,
            "created_by": username,
            "dictionary": self.store.graph.dictionary.digest,
            "counts": {},
            "link_counts": {},
        }
        return int(connection.execute(sa.insert(table).values(row).returning(table.c.key)).scalar_one())

    def _refuse_shared(self, connection: sa.Connection, project: Project) -> None:
        """Records say whose they are by project id alone, which two projects of an older commons may share."""
        projects, programs = self.store.graph.node("project"), self.store.graph.node("program")
        edges = self.store.graph.edge(self.store.program_link)
        id_ = programs.c._props["name"].astext + "-" + projects.c._props["code"].astext
        query = (
            sa.select(sa.func.count())
            .select_from(projects)
            .join(edges, edges.c.src_id == projects.c.node_id)
            .join(programs, programs.c.node_id == edges.c.dst_id)
            .where(id_ == project.project_id)
        )
        if connection.execute(query).scalar_one() > 1:
            raise Conflict(
                f"Two projects have the id {project.project_id}, so that their records cannot be told apart."
            )

    def _copy_records(
        self, connection: sa.Connection, project: Project, key: int, progress: Progress
    ) -> dict[str, int]:
        """Copy all records; how many there are by type, without types that have none."""
        source, counts = Live(self.store.graph, project), {}
        for node in self.store.graph.dictionary.nodes.values():
            if not _belongs(node):
                continue
            progress.check()
            records = source.records(node)
            rows = sa.select(sa.literal(key), sa.literal(node.id, sa.Text), records.c.node_id, records.c._props)
            insert = sa.insert(self.releases.nodes).from_select(["release", "type", "node_id", "_props"], rows)
            if number := connection.execute(insert).rowcount:
                counts[node.id] = number
                progress.written += number
        self._analyze(connection, self.releases.nodes)
        return counts

    def _copy_links(
        self, connection: sa.Connection, key: int, counts: dict[str, int], progress: Progress
    ) -> dict[str, int]:
        """Copy the links between the records that were copied."""
        nodes, found = self.store.graph.dictionary.nodes, {}
        for link in [link for type_ in counts for link in nodes[type_].links if link.target in counts]:
            progress.check()
            number = connection.execute(self._copied(link, key)).rowcount
            if number:
                found[link_key(link)] = number
                progress.written += number
        self._analyze(connection, self.releases.edges)
        return found

    def _copied(self, link: Link, key: int) -> Any:
        edge = self.store.graph.edge(link)
        child, parent = self.releases.nodes.alias("child"), self.releases.nodes.alias("parent")
        rows = (
            sa.select(sa.literal(key), sa.literal(link_key(link), sa.Text), edge.c.src_id, edge.c.dst_id)
            .join(child, child.c.node_id == edge.c.src_id)
            .join(parent, parent.c.node_id == edge.c.dst_id)
            .where(child.c.release == key, child.c.type == link.source)
            .where(parent.c.release == key, parent.c.type == link.target)
        )
        return sa.insert(self.releases.edges).from_select(["release", "link", "src_id", "dst_id"], rows)

    def _analyze(self, connection: sa.Connection, table: sa.Table) -> None:
        """Let PostgreSQL know at once what share of a table is new, or it plans as if that were nothing."""
        connection.execute(sa.text(f"analyze {connection.dialect.identifier_preparer.format_table(table)}"))

    def _finish(
        self, connection: sa.Connection, key: int, counts: dict[str, int], link_counts: dict[str, int]
    ) -> Release:
        table = self.releases.releases
        known = {"counts": counts, "link_counts": link_counts, "checksum": checksum(connection, self.releases, key)}
        update = sa.update(table).where(table.c.key == key).values(known).returning(table)
        return Release(*connection.execute(update).one())

    def _log(self, connection: sa.Connection, submission: Submission, release: Release) -> Outcome:
        assert submission.number is not None
        told = {"release": release.document()}
        outcome = Outcome(submission.number, [], [], False, 201, f"Release {release.id} is frozen.", told)
        self.store.log.write(connection, journal.row(submission, journal.SUCCEEDED))
        journal.document(connection, self.store, submission, outcome)
        return outcome


def _belongs(node: NodeType) -> bool:
    """Whether records of a type belong to projects."""
    return node.id in ("program", "project") or "project_id" in node.properties


def checksum(connection: sa.Connection, releases: Releases, key: int) -> str:
    """The checksum of a release's rows, in hexadecimal.

    The database hashes and sorts; its digests come in parts, by their first byte.
    """
    nodes, edges = releases.nodes, releases.edges
    named = sa.func.jsonb_build_object("id", nodes.c.node_id, "type", nodes.c.type, type_=JSONB)
    record = sa.func.jsonb_strip_nulls(named + nodes.c._props)
    link = sa.func.jsonb_build_object("link", edges.c.link, "source", edges.c.src_id, "target", edges.c.dst_id)
    lines = sa.union_all(
        sa.select(_digest(record)).where(nodes.c.release == key, nodes.c.type != "program"),
        sa.select(_digest(link)).where(edges.c.release == key),
    ).subquery()
    first = sa.func.get_byte(lines.c.digest, 0)
    empty: Any = sa.literal_column("''::bytea")
    part = sa.func.string_agg(lines.c.digest, aggregate_order_by(empty, lines.c.digest))
    whole = hashlib.sha256()
    query = sa.select(part).group_by(first).order_by(first)
    with connection.execute(query, execution_options={"stream_results": True, "max_row_buffer": 8}) as parts:
        for (digests,) in parts:
            whole.update(digests)
    return whole.hexdigest()


def _digest(line: Any) -> Any:
    text = sa.cast(line, sa.Text)
    return sa.func.sha256(sa.func.convert_to(text, "UTF8"), type_=sa.LargeBinary).label("digest")
