"""What differs between two states of a project: one statement for each node type, read as it comes.

Vocabulary
----------
change
    A record that is only in the new state is ``added``, one that is only in the old state is ``removed``; one whose
    properties or links are not the same is ``changed``. Records are the same by their ids.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ..core.cells import cell, table_text
from ..core.dictionary import Link
from .export import target_key
from .sources import Source

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
COLUMNS = ("type", "id", "submitter_id", "change", "property", "old", "new")
_ROWS = 1000


class Change(NamedTuple):
    """What became of one record.

    Parameters
    ----------
    properties
        Of a changed record, the old and the new value of each property that is not the same.
    links
        Of a changed record, by link, the targets that it has no more, and those that it has now: ``{"node_id", key}``.
    """

    type: str
    id: str
    submitter_id: str | None
    change: str
    properties: Mapping[str, tuple[Any, Any]]
    links: Mapping[str, tuple[list[Any], list[Any]]]


def types(old: Source, new: Source) -> list[str]:
    """The node types of which there may be records in either state."""
    known = {**old.dictionary.nodes, **new.dictionary.nodes}
    return [name for name, node in known.items() if name == "project" or "project_id" in node.properties]


def changes(connection: sa.Connection, old: Source, new: Source, type_: str) -> Iterator[Change]:
    """The changes of one node type, by id.

    Within a transaction that sees one snapshot, those of all types are of one moment.
    """
    options = {"stream_results": True, "max_row_buffer": _ROWS}
    with connection.execute(_query(old, new, type_), execution_options=options) as rows:
        for id_, before, after, submitter_id, moved in rows:
            if before is None and after is not None:
                yield Change(type_, id_, submitter_id, ADDED, {}, {})
            elif after is None and before is not None:
                yield Change(type_, id_, submitter_id, REMOVED, {}, {})
            else:
                properties, links = differing(before or {}, after or {}), _parted(moved or ())
                if properties or links:
                    yield Change(type_, id_, submitter_id, CHANGED, properties, links)


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Old and new values of the properties that are not the same; null is no value, as in an export."""
    pairs = {name: (before.get(name), after.get(name)) for name in sorted({*before, *after})}
    # As texts, since to Python true is 1.
    return {name: pair for name, pair in pairs.items() if _text(pair[0]) != _text(pair[1])}


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _parted(moved: Sequence[Any]) -> dict[str, tuple[list[Any], list[Any]]]:
    links: dict[str, tuple[list[Any], list[Any]]] = {}
    for name, added, target in moved:
        links.setdefault(name, ([], []))[added].append(target)
    return links


# -- SQL ---------------------------------------------------------------------------


def _query(old: Source, new: Source, type_: str) -> Any:
    """Rows of id, old properties, new properties, submitter_id, and links ``[name, whether it is new, target]``.

    Of a record that has only other links than before, neither properties are there.
    """
    before, after = _records(old, type_, "before"), _records(new, type_, "after")
    both = before.join(after, before.c.node_id == after.c.node_id, full=True)
    id_ = sa.func.coalesce(before.c.node_id, after.c.node_id)
    columns = [id_.label("id"), before.c._props.label("old"), after.c._props.label("new")]
    differing = before.c._props.is_distinct_from(after.c._props)
    changed = sa.select(*columns).select_from(both).where(differing).cte("changed")
    submitter_id = sa.func.coalesce(changed.c.new, changed.c.old, type_=JSONB)["submitter_id"].astext
    moved = _moves(old, new, type_)
    if moved is None:
        return sa.select(changed, submitter_id, sa.null()).order_by(changed.c.id)
    same = _records(new, type_, "same")
    stored = sa.select(same.c._props["submitter_id"].astext).where(same.c.node_id == moved.c.src_id).scalar_subquery()
    id_ = sa.func.coalesce(changed.c.id, moved.c.src_id)
    named = sa.case((changed.c.id.is_(None), stored), else_=submitter_id)
    rows = changed.join(moved, moved.c.src_id == changed.c.id, full=True)
    return sa.select(id_, changed.c.old, changed.c.new, named, moved.c.links).select_from(rows).order_by(id_)


def _moves(old: Source, new: Source, type_: str) -> Any:
    """Rows of ``src_id`` and ``links``, those that only one state has; None where the type has no link."""
    names = {name: None for source in (old, new) for name in _links(source, type_)}
    parts = [_only_one(old, new, type_, name, number) for number, name in enumerate(names)]
    if not parts:
        return None
    each = sa.union_all(*parts).cte("link")
    entry = sa.func.jsonb_build_array(each.c.name, each.c.added, each.c.target)
    return sa.select(each.c.src_id, sa.func.jsonb_agg(entry).label("links")).group_by(each.c.src_id).cte("moved")


def _only_one(old: Source, new: Source, type_: str, name: str, number: int) -> Any:
    gone, come = _links(old, type_).get(name), _links(new, type_).get(name)
    before, after = _edges(old, gone, f"before_{number}"), _edges(new, come, f"after_{number}")
    same = sa.and_(before.c.src_id == after.c.src_id, before.c.dst_id == after.c.dst_id)
    added = before.c.src_id.is_(None)
    target = sa.case((added, _target(new, come, after.c.dst_id)), else_=_target(old, gone, before.c.dst_id))
    columns = [
        sa.func.coalesce(before.c.src_id, after.c.src_id).label("src_id"),
        sa.literal(name, sa.Text).label("name"),
        sa.cast(added, sa.Integer).label("added"),
        target.label("target"),
    ]
    joined = before.join(after, same, full=True)
    return sa.select(*columns).select_from(joined).where(sa.or_(added, after.c.src_id.is_(None)))


def _target(source: Source, link: Link | None, id_: Any) -> Any:
    """How a target is told: by id, and by the key that submitters know it by."""
    if link is None:
        return sa.cast(sa.null(), JSONB)
    targets, key = source.targets(link).alias(), target_key(source.dictionary, link.target)
    stored = sa.select(targets.c._props[key].astext).where(targets.c.node_id == id_).scalar_subquery()
    return sa.func.jsonb_build_object("node_id", id_, key, stored)


def _records(source: Source, type_: str, name: str) -> sa.FromClause:
    node = source.dictionary.nodes.get(type_)
    return source.records(node).alias(name) if node else _nothing(name, node_id=sa.Text(), _props=JSONB())


def _edges(source: Source, link: Link | None, name: str) -> sa.FromClause:
    """The links between the project's own records."""
    if link is None:
        return _nothing(name, src_id=sa.Text(), dst_id=sa.Text())
    nodes = source.dictionary.nodes
    edge, child, parent = source.links(link), source.records(nodes[link.source]), source.records(nodes[link.target])
    joined = edge.join(child, child.c.node_id == edge.c.src_id).join(parent, parent.c.node_id == edge.c.dst_id)
    return sa.select(edge.c.src_id, edge.c.dst_id).select_from(joined).subquery(name)


def _links(source: Source, type_: str) -> Mapping[str, Link]:
    node = source.dictionary.nodes.get(type_)
    return node.links_by_name if node else {}


def _nothing(name: str, **columns: Any) -> sa.FromClause:
    """A table without rows, for what a dictionary does not know."""
    values = [sa.cast(sa.null(), kind).label(column) for column, kind in columns.items()]
    return sa.select(*values).where(sa.false()).subquery(name)


# -- telling -----------------------------------------------------------------------


class Report:
    """Changes as bytes, and how many there were by type.

    Parameters
    ----------
    old, new
        What the two states are called.
    summary
        Whether to tell of the numbers alone.
    """

    def __init__(self, old: str, new: str, kind: str, *, summary: bool) -> None:
        self.old, self.new = old, new
        self.kind = kind
        self.summary = summary
        self.counts: dict[str, dict[str, int]] = {}
        self._first = True

    def head(self) -> bytes:
        """What comes before the first change."""
        if self.kind != "json":
            return table_text([("type", ADDED, REMOVED, CHANGED) if self.summary else COLUMNS], "\t").encode()
        names = orjson.dumps({"from": self.old, "to": self.new})[:-1]
        return names if self.summary else names + b',"changes":['

    def add(self, change: Change) -> bytes:
        """One change."""
        counts = self.counts.setdefault(change.type, {ADDED: 0, REMOVED: 0, CHANGED: 0})
        counts[change.change] += 1
        if self.summary:
            return b""
        if self.kind != "json":
            return table_text(_lines(change), "\t").encode()
        comma, self._first = b"" if self._first else b",", False
        return comma + orjson.dumps(_document(change))

    def tail(self) -> bytes:
        """What comes after the last change."""
        if self.kind == "json":
            closing = b"" if self.summary else b"]"
            return closing + b',"counts":' + orjson.dumps(self.counts) + b"}"
        if not self.summary:
            return b""
        rows = [(type_, counts[ADDED], counts[REMOVED], counts[CHANGED]) for type_, counts in self.counts.items()]
        return table_text(rows, "\t").encode()


def _document(change: Change) -> dict[str, Any]:
    told: dict[str, Any] = {"type": change.type, "id": change.id, "submitter_id": change.submitter_id}
    told["change"] = change.change
    if change.change == CHANGED:
        told["properties"] = {name: {"old": old, "new": new} for name, (old, new) in change.properties.items()}
        told["links"] = {name: {REMOVED: gone, ADDED: come} for name, (gone, come) in change.links.items()}
    return told


def _lines(change: Change) -> Iterator[Sequence[str]]:
    """One line for each property and link, or one for the whole record."""
    known = (change.type, change.id, change.submitter_id or "", change.change)
    if change.change != CHANGED:
        yield (*known, "", "", "")
    for name, (old, new) in change.properties.items():
        yield (*known, name, cell(old), cell(new))
    for name, (gone, come) in change.links.items():
        yield (*known, name, _targets(gone), _targets(come))


def _targets(targets: Sequence[Any]) -> str:
    keys = ({name: key for name, key in target.items() if name != "node_id"} for target in targets)
    return ",".join(cell(next(iter(each.values()))) for each in keys)


def report(connection: sa.Connection, old: Source, new: Source, wanted: Sequence[str], told: Report) -> Iterator[bytes]:
    """The whole of a report on some node types."""
    yield told.head()
    for type_ in wanted:
        for change in changes(connection, old, new, type_):
            if text := told.add(change):
                yield text
    yield told.tail()
