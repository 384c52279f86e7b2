"""What the parts of a large submission must know of one another, in temporary tables of its transaction.

Vocabulary
----------
chunk
    So many records as are worked on at a time.
number
    Where a record stands in its submission, as :mod:`.places` has it.
seen
    A key, or an id, that a record of the submission gave.
wait
    A link whose target has not been found, but may come in a later chunk.
only child
    A record with a link that its parent may have but one of.

A submission of one chunk has no ledger: whatever it must know is in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects.postgresql import ARRAY, JSON

from ..core.dictionary import Link
from .entity import Entity, Project
from .links import Target
from .store import Store

_METADATA = sa.MetaData()
_TEMPORARY: dict[str, Any] = {"prefixes": ["TEMPORARY"], "postgresql_on_commit": "DROP"}
_SEEN = sa.Table(
    "submission_seen",
    _METADATA,
    sa.Column("space", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    **_TEMPORARY,
)
_LINKS = sa.Table(
    "submission_links",
    _METADATA,
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("id", sa.Text),
    sa.Column("submitter_id", sa.Text),
    sa.Column("action", sa.Text),
    sa.Column("faulty", sa.Boolean, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("target_type", sa.Text, nullable=False),
    sa.Column("target_key", sa.Text),
    sa.Column("target_id", sa.Text),
    sa.Column("waits", sa.Boolean, nullable=False),
    sa.Column("parent_id", sa.Text),
    **_TEMPORARY,
)
sa.Index("submission_links_id", _LINKS.c.id)


class Key(NamedTuple):
    """What tells a record of a submission from the others.

    Parameters
    ----------
    space
        The node type, or empty for an id, which is unique among all types.
    text
        The key as it was given, or the id.
    """

    space: str
    text: str


def repeated(keys: Iterable[tuple[Key, str, int]]) -> dict[int, int]:
    """What :meth:`Ledger.enter` returns, for the only chunk."""
    seen: dict[tuple[str, str], int] = {}
    found: dict[int, int] = {}
    for (space, text), _, number in keys:
        first = seen.setdefault((space, text.lower() if space else text), number)
        if first != number:
            found.setdefault(number, first)
    return found


class Late(NamedTuple):
    """A fault that could only be told after the last chunk.

    Parameters
    ----------
    known
        Whether the record was told to be faulty before.
    """

    number: int
    type: str
    id: str | None
    submitter_id: str | None
    action: str | None
    known: bool
    link: str
    target: Target
    parent_id: str | None


class Ledger:
    """The temporary tables of one transaction."""

    def __init__(self, store: Store, connection: sa.Connection, project: Project) -> None:
        self._store = store
        self._connection = connection
        self._project = project
        self._rows: list[tuple[Entity, dict[str, Any]]] = []
        self._noted: dict[Link, None] = {}
        _METADATA.create_all(connection, checkfirst=False)

    def enter(self, keys: Sequence[tuple[Key, str, int]]) -> dict[int, int]:
        """Note keys with node type and number of the record.

        Returns
        -------
        dict
            Numbers of records with a key that was noted before, and of the first record with the same.
        """
        if not keys:
            return {}
        spaces, texts = [key.space for key, _, _ in keys], [key.text for key, _, _ in keys]
        types, numbers = [kind for _, kind, _ in keys], [number for _, _, number in keys]
        given = (
            sa.func.unnest(_array(spaces), _array(texts), _array(types), _array(numbers, sa.Integer))
            .table_valued(*(sa.column(column.name, column.type) for column in _SEEN.c))
            .render_derived(name="given")
        )
        key = sa.case((given.c.space == "", given.c.key), else_=sa.func.lower(given.c.key))
        rows = sa.select(given.c.space, key, given.c.type, given.c.number)
        insert = pg.insert(_SEEN).from_select([column.name for column in _SEEN.c], rows)
        made = self._connection.execute(insert.on_conflict_do_nothing()).rowcount
        if made == len(keys):
            return {}
        same = sa.and_(given.c.space == _SEEN.c.space, key == _SEEN.c.key, given.c.number != _SEEN.c.number)
        # What a key says goes before what an id says.
        twice = sa.select(given.c.number, _SEEN.c.number).join(_SEEN, same).order_by(given.c.space)
        return {number: first for number, first in self._connection.execute(twice)}  # noqa: C416 - rows are no pairs

    def wait(self, link: Link, entity: Entity, target: Target) -> None:
        """Note a link whose target is to come."""
        key, id_ = target.get("submitter_id"), target.get("id")
        self._note(link, entity, {"target_key": key, "target_id": id_, "waits": True})

    def only_child(self, link: Link, entity: Entity, parent: str) -> None:
        """Note a link that no other child may have to the same parent."""
        target = entity.targets[link.name][0]
        named = {"target_key": target.get("submitter_id"), "target_id": target.get("id")}
        self._note(link, entity, {**named, "waits": False, "parent_id": parent})

    def _note(self, link: Link, entity: Entity, row: dict[str, Any]) -> None:
        self._noted[link] = None
        self._rows.append((entity, {**row, "link": link.name, "target_type": link.target}))

    def flush(self) -> None:
        """Write what was noted of the records of a chunk, which is over."""
        rows = [
            {
                "number": entity.number,
                "type": entity.node.id if entity.node else "",
                "id": entity.id,
                "submitter_id": entity.submitter_id,
                "action": entity.action,
                "faulty": bool(entity.errors),
                **row,
            }
            for entity, row in self._rows
        ]
        self._rows = []
        if rows:
            text = sa.cast(sa.bindparam("rows", orjson.dumps(rows).decode(), type_=sa.Text), JSON)
            columns = [sa.column(column.name, column.type) for column in _LINKS.c]
            given = sa.func.json_to_recordset(text).table_valued(*columns).render_derived(name="r", with_types=True)
            insert = sa.insert(_LINKS).from_select([column.name for column in _LINKS.c], sa.select(given))
            self._connection.execute(insert)

    # -- after the last chunk ----------------------------------------------------

    def settle(self) -> None:
        """Find the targets of all links that wait, and write their edges."""
        for name in (_SEEN.name, _LINKS.name):
            self._connection.execute(sa.text(f"analyze {name}"))
        for link in self._noted:
            for statement in self._find(link):
                self._connection.execute(statement)
            edge = self._store.graph.edge(link)
            found = sa.select(_LINKS.c.id, _LINKS.c.parent_id).where(
                *_of(link), _LINKS.c.waits, _LINKS.c.parent_id.is_not(None), ~_LINKS.c.faulty
            )
            insert = pg.insert(edge).from_select(["src_id", "dst_id"], found)
            self._connection.execute(insert.on_conflict_do_nothing())

    def _find(self, link: Link) -> Iterator[Any]:
        """Statements that set ``parent_id`` to targets that the submission has, by key and by id."""
        node, lower, project_id = self._store.graph.node(link.target), sa.func.lower, self._project.project_id
        waiting = [*_of(link), _LINKS.c.waits]
        props = node.c._props
        by_key = [
            lower(props["project_id"].astext) == lower(sa.literal(project_id, sa.Text)),
            lower(props["submitter_id"].astext) == lower(_LINKS.c.target_key),
            sa.or_(_LINKS.c.target_id.is_(None), _LINKS.c.target_id == node.c.node_id),
            _SEEN.c.space == link.target,
            _SEEN.c.key == lower(_LINKS.c.target_key),
        ]
        by_id = [
            _LINKS.c.target_key.is_(None),
            node.c.node_id == _LINKS.c.target_id,
            props["project_id"].astext == project_id,
            _SEEN.c.space == "",
            _SEEN.c.key == _LINKS.c.target_id,
        ]
        for conditions in (by_key, by_id):
            yield sa.update(_LINKS).values(parent_id=node.c.node_id).where(*waiting, *conditions)

    def missing(self, *, all_of_them: bool) -> Iterator[Late]:
        """Links whose target is nowhere, by number.

        Parameters
        ----------
        all_of_them
            Take in links to records of the submission that are faulty themselves, of which there are none where no
            fault has been found.
        """
        by_key, by_id = _SEEN.alias("by_key"), _SEEN.alias("by_id")
        has_key = sa.exists().where(
            by_key.c.space == _LINKS.c.target_type, by_key.c.key == sa.func.lower(_LINKS.c.target_key)
        )
        has_id = sa.exists().where(
            by_id.c.space == "", by_id.c.key == _LINKS.c.target_id, by_id.c.type == _LINKS.c.target_type
        )
        here = sa.and_(sa.or_(_LINKS.c.target_key.is_(None), has_key), sa.or_(_LINKS.c.target_id.is_(None), has_id))
        query = sa.select(_LINKS).where(_LINKS.c.parent_id.is_(None), *([] if all_of_them else [~here]))
        return self._read(query.order_by(_LINKS.c.number))

    def crowded(self) -> Iterator[tuple[Link, Iterator[Late], dict[str, str]]]:
        """By link: the only children of parents that have several, by parent and number, and those that had been there.

        A child that has been there is given by its parent.
        """
        for link in self._noted:
            if not link.from_one:
                continue
            edge, lost = self._store.graph.edge(link).alias("e"), _LINKS.alias("lost")
            parents = sa.select(_LINKS.c.parent_id).where(*_of(link), _LINKS.c.parent_id.is_not(None))
            busy = (
                sa.select(edge.c.dst_id).where(edge.c.dst_id.in_(parents)).group_by(edge.c.dst_id)
                .having(sa.func.count() > 1).cte("busy")
            )  # fmt: skip
            whole = ~sa.exists().where(lost.c.id == _LINKS.c.id, lost.c.parent_id.is_(None))
            asked = sa.select(_LINKS).where(*_of(link), ~_LINKS.c.faulty, whole)
            mine: Any = sa.literal_column("e.xmin = pg_current_xact_id()::xid")
            # What was stored before is no new child, even where an earlier dictionary has let it be a second one.
            old = sa.exists().where(edge.c.src_id == _LINKS.c.id, edge.c.dst_id == _LINKS.c.parent_id, ~mine)
            asked = asked.where(_LINKS.c.parent_id.in_(sa.select(busy.c.dst_id)), ~old)
            earlier = sa.select(edge.c.dst_id, edge.c.src_id).where(edge.c.dst_id.in_(sa.select(busy.c.dst_id)), ~mine)
            stored = {row.dst_id: row.src_id for row in self._connection.execute(earlier)}
            yield link, self._read(asked.order_by(_LINKS.c.parent_id, _LINKS.c.number)), stored

    def _read(self, query: Any) -> Iterator[Late]:
        with self._connection.execute(query, execution_options={"stream_results": True}) as rows:
            for row in rows:
                known = (("submitter_id", row.target_key), ("id", row.target_id))
                target = {name: value for name, value in known if value is not None}
                yield Late(
                    row.number, row.type, row.id, row.submitter_id, row.action, row.faulty, row.link, target,
                    row.parent_id,
                )  # fmt: skip


def _array(values: Sequence[Any], kind: Any = sa.Text) -> Any:
    return sa.bindparam(None, list(values), type_=ARRAY(kind))


def _of(link: Link) -> list[Any]:
    return [_LINKS.c.type == link.source, _LINKS.c.link == link.name]
