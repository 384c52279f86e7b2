"""What another dictionary would change: told before it is applied, with the records that would no longer be valid.

All is read from one picture of the database, record after record: nobody has to wait, and memory does not grow with the
number of records. Between the preview and the moment at which a dictionary is applied more may be stored; what has come
since is looked at once more, while nobody can write (:func:`refuse_invalid`).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from ..core import audit, versions
from ..core.dictionary import Dictionary
from ..core.dictionary.difference import difference
from ..core.errors import Conflict, Unavailable
from ..core.graph import Graph, edge_table, node_table
from ..core.identity import Identity
from ..core.settings import DatabaseSettings
from ..core.versions import Draft, Version, Waits
from .recheck import Finding, Judge, LinkRule, Look, looks

ACTION: audit.DictionaryAction = "apply_dictionary"
PAGE_ROWS = 2000
_SHOWN_KEYS = 10


class Author(NamedTuple):
    """Who asks, for the audit trail."""

    identity: Identity
    request_id: str


@dataclass
class Looking:
    """How far a preview has come.

    Attributes
    ----------
    type
        The node type whose records are being looked at.
    done, total
        Records, of all node types that are looked at.
    stopped
        Set by somebody else: nobody wants to know any more.
    """

    type: str = ""
    done: int = 0
    total: int = 0
    stopped: bool = False

    def check(self) -> None:
        """Return unless the work is to end.

        Raises
        ------
        Unavailable
            It is.
        """
        if self.stopped:
            raise Unavailable("The preview was ended.")


@dataclass(frozen=True)
class Bounds:
    """How much is told, and how long one statement may take.

    Parameters
    ----------
    shown
        Invalid records of one node type that are told by name.
    """

    shown: int = 100
    statement_s: int = 3600


@dataclass
class Preview:
    """What applying a draft would do.

    Attributes
    ----------
    after
        Number of the version that it was compared with.
    mark
        The oldest transaction that was running at the time of the picture.
    unseen
        What stays stored and would be out of sight: of node types, properties and links that are gone.
    duplicates
        Unique keys that stored records break: these make it impossible.
    looked
        How many records were looked at.
    """

    draft: Draft
    old: Dictionary
    after: int
    mark: str = ""
    findings: list[Finding] = field(default_factory=list)
    unseen: list[dict[str, Any]] = field(default_factory=list)
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    looked: int = 0
    seconds: float = 0.0

    @property
    def invalid(self) -> int:
        """How many records would no longer be valid."""
        return sum(finding.invalid for finding in self.findings)

    @property
    def reasons(self) -> list[str]:
        """Why it is not applied unless somebody insists."""
        told = []
        if self.invalid:
            types = ", ".join(f"{each.invalid} of {each.type}" for each in self.findings if each.invalid)
            told.append(f"{self.invalid} stored records would no longer be valid ({types})")
        for each in self.unseen:
            place = ".".join(each[key] for key in ("type", "property", "link") if key in each)
            told.append(f"what {each['records']} records hold of {place} would be out of sight")
        return told

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "digest": self.draft.dictionary.digest,
            "after": self.after,
            "whence": self.draft.whence,
            "difference": difference(self.old, self.draft.dictionary).document(),
            "records_looked_at": self.looked,
            "invalid_record_count": self.invalid,
            "invalid": [finding.document() for finding in self.findings if finding.invalid],
            "unseen": self.unseen,
            "duplicates": self.duplicates,
            "needs_force": bool(self.reasons),
            "seconds": round(self.seconds, 2),
        }

    def refuse(self, force: bool) -> None:
        """Return if the draft may be applied.

        Raises
        ------
        Conflict
            It may not, or not without `force`; the details are those of the preview.
        """
        if self.duplicates:
            keys = ", ".join(f"{each['type']} ({', '.join(each['key'])})" for each in self.duplicates)
            raise Conflict(f"Stored records break unique keys of the dictionary: {keys}.", [self.document()])
        if self.reasons and not force:
            told = "; ".join(self.reasons)
            raise Conflict(f"Nothing was changed: {told}. Apply it with force=true to accept that.", [self.document()])


def preview(
    connection: sa.Connection, draft: Draft, old: Dictionary, after: int, schema: str, bounds: Bounds, looking: Looking
) -> Preview:
    """Look at all that is stored.

    Parameters
    ----------
    connection
        In a transaction in which nothing was done yet.

    Raises
    ------
    Unavailable
        Somebody has stopped it.
    """
    start = time.monotonic()
    connection.execute(sa.text("set transaction isolation level repeatable read, read only"))
    connection.execute(sa.text(f"set local statement_timeout = {1000 * bounds.statement_s}"))
    made = Preview(draft, old, after, _mark(connection))
    stored = _Stored(connection, schema)
    new = draft.dictionary
    made.unseen = list(_unseen(stored, old, new))
    made.duplicates = list(_duplicates(stored, old, new, schema))
    wanted = looks(old, new)
    # Of what is only fresh the few that hold it are found by an index.
    counts = {look.new.id: stored.count(node_table(look.new.id)) for look in wanted if look.properties or look.rules}
    looking.total = sum(counts.values())
    for look in wanted:
        looking.type = look.new.id
        judge = Judge(look, counts.get(look.new.id, 0), bounds.shown)
        for rows in stored.records(look):
            looking.check()
            for node_id, properties, *broken in rows:
                judge.judge(node_id, properties, broken)
            looking.done += len(rows)
            looking.total = max(looking.total, looking.done)
        made.findings.append(judge.finding)
    made.looked = looking.done
    made.seconds = time.monotonic() - start
    return made


def apply(
    connection: sa.Connection, settings: DatabaseSettings, made: Preview, waits: Waits, *, force: bool, author: Author
) -> Version:
    """Let what was looked at be in force; it is a row of the audit trail.

    Raises
    ------
    Conflict
        As :func:`~.versions.apply`; or what was stored since would no longer be valid, and `force` is not given.
    """
    schema, by = settings.graph_schema, author.identity.username or author.identity.client
    last = None if force else partial(refuse_invalid, made=made, schema=schema)
    version = versions.apply(connection, schema, made.draft, waits, by=by, after=made.after, last=last)
    detail = {"digest": made.draft.dictionary.digest, "whence": made.draft.whence, "force": force}
    entry = audit.Entry(ACTION, f"version {version.number}", "allowed", {**detail, "invalid_records": made.invalid})
    note(connection, settings, author, entry)
    return version


def note(connection: sa.Connection, settings: DatabaseSettings, author: Author, entry: audit.Entry) -> None:
    """Add a row to the audit trail."""
    audit.write_many(connection, settings.auth_schema, author.identity, author.request_id, [entry])


def refuse_invalid(connection: sa.Connection, made: Preview, schema: str) -> None:
    """Look at what was stored since a preview, while nobody can write.

    Raises
    ------
    Conflict
        A record among that would no longer be valid.
    """
    stored = _Stored(connection, schema)
    for look in looks(made.old, made.draft.dictionary):
        judge = Judge(look, 0, 1)
        for rows in stored.records(look, made.mark):
            for node_id, properties, *broken in rows:
                judge.judge(node_id, properties, broken)
        if judge.finding.invalid:
            name = judge.finding.examples[0]["submitter_id"]
            raise Conflict(f"The {look.new.id} {name} was stored meanwhile and would no longer be valid; look again.")


def _mark(connection: sa.Connection) -> str:
    query = sa.text("select cast(pg_snapshot_xmin(pg_current_snapshot()) as text)")
    return str(connection.execute(query).scalar_one())


class _Stored:
    """The stored records and edges; of tables that are not there yet there are none."""

    def __init__(self, connection: sa.Connection, schema: str) -> None:
        self.connection = connection
        self.schema = schema
        self.present = frozenset(sa.inspect(connection).get_table_names(schema))

    def table(self, name: str) -> sa.TableClause:
        """A table with the columns of nodes and edges."""
        columns = ("node_id", "src_id", "dst_id", "_props", "xmin")
        return sa.table(name, *(sa.column(each) for each in columns), schema=self.schema)

    def count(self, name: str) -> int:
        """How many rows a table has."""
        if name not in self.present:
            return 0
        return int(self.connection.execute(sa.select(sa.func.count()).select_from(self.table(name))).scalar_one())

    def records(self, look: Look, since: str | None = None) -> Iterator[Sequence[Any]]:
        """Records as pages of rows ``(node_id, _props, broken…)``, with a value for each of the look's link rules.

        Parameters
        ----------
        since
            A mark: only what may have been written after it, and what breaks a link rule.
        """
        name = node_table(look.new.id)
        if name not in self.present:
            return
        nodes = self.table(name)
        joined = _Joined(self, nodes)
        broken = [joined.breaks(rule) for rule in look.rules]
        query = sa.select(
            nodes.c.node_id,
            sa.type_coerce(nodes.c._props, JSONB),
            *(each.label(f"broken_{place}") for place, each in enumerate(broken)),
        ).select_from(joined.tables)
        if since is not None:
            young = [self._young(nodes, since)] if look.properties else []
            query = query.where(sa.or_(sa.false(), *young, *broken))
        elif not look.properties:
            held = [sa.type_coerce(nodes.c._props, JSONB).has_any(sa.cast(look.fresh, ARRAY(sa.Text)))]
            query = query.where(sa.or_(*(held if look.fresh else []), *broken))
        options = {"stream_results": True, "max_row_buffer": PAGE_ROWS}
        # All rows are wanted, and not the first of them soon.
        self.connection.execute(sa.text("set local cursor_tuple_fraction = 1"))
        with self.connection.execute(query, execution_options=options) as rows:
            yield from rows.partitions(PAGE_ROWS)

    def _young(self, nodes: sa.TableClause, since: str) -> sa.ColumnElement[bool]:
        # The age of a transaction number, in transactions, is right whatever the numbers have wrapped around.
        mark = sa.text("age(cast(cast(:since as xid8) as xid))").bindparams(since=since)
        return sa.func.age(nodes.c.xmin) <= sa.literal_column(str(self.connection.scalar(sa.select(mark))))


class _Joined:
    """Records beside what their links say of them: each list of edges is made once, and not asked for each record."""

    def __init__(self, stored: _Stored, nodes: sa.TableClause) -> None:
        self._stored = stored
        self._nodes = nodes
        self._lists = 0
        self.tables: sa.FromClause = nodes

    def breaks(self, rule: LinkRule) -> sa.ColumnElement[bool]:
        """Whether a record breaks a rule."""
        if rule.demand in ("to_one", "from_one"):
            return self._crowded(rule.members[0][0], of_child=rule.demand == "to_one")
        filled = [sa.or_(*(self._has(name) for name in names)) for names in rule.members]
        if rule.demand == "required":
            return sa.not_(sa.or_(*filled))
        return sum((sa.cast(each, sa.Integer) for each in filled), sa.literal(0)) > 1

    def _has(self, name: str) -> sa.ColumnElement[bool]:
        """Whether a record has a parent by a link."""
        edges = self._stored.table(name)
        return self._among(name, sa.select(edges.c.src_id).distinct())

    def _crowded(self, name: str, *, of_child: bool) -> sa.ColumnElement[bool]:
        """Whether a record has several parents by a link, or a parent that has several children."""
        edges = self._stored.table(name)
        end = edges.c.src_id if of_child else edges.c.dst_id
        several = sa.select(end).group_by(end).having(sa.func.count() > 1)
        if not of_child:
            crowded, others = several.subquery(f"crowded_{self._lists}"), self._stored.table(name).alias("others")
            several = sa.select(others.c.src_id).distinct().join(crowded, crowded.c.dst_id == others.c.dst_id)
        return self._among(name, several)

    def _among(self, name: str, ids: sa.Select[Any]) -> sa.ColumnElement[bool]:
        if name not in self._stored.present:
            return sa.false()
        listed = ids.subquery(f"listed_{self._lists}")
        self._lists += 1
        self.tables = self.tables.outerjoin(listed, listed.c.src_id == self._nodes.c.node_id)
        return listed.c.src_id.is_not(None)


def _unseen(stored: _Stored, old: Dictionary, new: Dictionary) -> Iterator[dict[str, Any]]:
    """What is stored of node types, properties and links that are gone."""
    for name, before in old.nodes.items():
        after = new.nodes.get(name)
        if after is None:
            if count := stored.count(node_table(name)):
                yield {"type": name, "records": count}
            continue
        gone = sorted(before.properties.keys() - after.properties.keys())
        yield from _unseen_values(stored, name, gone)
        kept = {edge_table(link) for link in after.links}
        for link in before.links:
            if edge_table(link) not in kept and (count := stored.count(edge_table(link))):
                yield {"type": name, "link": link.name, "records": count}


def _unseen_values(stored: _Stored, name: str, gone: Sequence[str]) -> Iterator[dict[str, Any]]:
    if not gone or node_table(name) not in stored.present:
        return
    properties = sa.type_coerce(stored.table(node_table(name)).c._props, JSONB)
    counts = [sa.func.count(properties[each].astext).label(f"count_{place}") for place, each in enumerate(gone)]
    for each, count in zip(gone, stored.connection.execute(sa.select(*counts)).one(), strict=True):
        if count:
            yield {"type": name, "property": each, "records": count}


def _duplicates(stored: _Stored, old: Dictionary, new: Dictionary, schema: str) -> Iterator[dict[str, Any]]:
    """New unique keys that stored records have more than once, by the indexes that will enforce them."""
    graph = Graph(new, schema)
    for name in sorted(new.nodes):
        known = old.nodes[name].unique_keys if name in old.nodes else ()
        keys = [key for key in new.nodes[name].unique_keys if key not in known]
        if not keys or node_table(name) not in stored.present:
            continue
        texts = graph.node(name).c._props
        for key in keys:
            # A key of one property is compared as it is, one of several without regard to case.
            parts = [texts[each].astext if len(key) == 1 else sa.func.lower(texts[each].astext) for each in key]
            grouped = sa.select(*parts).where(*(part.is_not(None) for part in parts)).group_by(*parts)
            twice = grouped.having(sa.func.count() > 1)
            rows = stored.connection.execute(twice.limit(_SHOWN_KEYS)).all()
            if rows:
                count = stored.connection.execute(sa.select(sa.func.count()).select_from(twice.subquery())).scalar_one()
                yield {"type": name, "key": list(key), "keys": count, "examples": [list(row) for row in rows]}
