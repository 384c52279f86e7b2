"""Which records somebody may have meant whose link leads nowhere."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.operators import custom_op

from ..core.graph import Graph
from ..core.spelling import meant, nearest
from .entity import Entity, Fault
from .store import Store

MAX_WANTED = 100
"""So many different keys of a submission get suggestions."""
MAX_COMPARED = 5000
"""So many records of a type, of the submission and of the database, each key is compared with."""
_BESIDE = 10


def suggest(
    store: Store | None,
    connection: sa.Connection,
    project_id: str,
    faults: Iterable[Fault],
    entities: Sequence[Entity],
) -> None:
    """Name the nearest submitter_ids in all faults of links that lead nowhere, by one statement.

    Parameters
    ----------
    store
        None where the submitter may not know what is stored.
    entities
        Records that may be meant, too, although they are not stored.
    """
    lost = [each for each in faults if each["rule"] == "target"]
    wanted = _wanted(lost)
    if not wanted:
        return
    known: dict[str, dict[str, None]] = {kind: {} for kind in wanted}
    for kind, key in _stored(store.graph, connection, project_id, wanted) if store else ():
        known[kind][key] = None
    for kind, key in _own(entities, known):
        if len(known[kind]) < 2 * MAX_COMPARED:
            known[kind][key] = None
    choices = {kind: tuple(keys) for kind, keys in known.items()}
    likely = {(kind, key): nearest(key, choices[kind]) for kind, keys in wanted.items() for key in keys}
    for each in lost:
        target = each["target"]
        key = target.get("submitter_id", "")
        found = likely.get((target["type"], key))
        if found and "id" in target and key.lower() in map(str.lower, found):
            each["suggestion"] = f"The id is not that of {key!r}; give one of the two only."
        elif found:
            each["suggestion"], each["nearest"] = meant(found), list(found)


def _wanted(lost: Iterable[Fault]) -> dict[str, list[str]]:
    wanted: dict[str, dict[str, None]] = {}
    count = 0
    for each in lost:
        target: Mapping[str, Any] = each["target"]
        key = target.get("submitter_id")
        if key is None or key in wanted.get(target["type"], ()):
            continue
        if count == MAX_WANTED:
            break
        wanted.setdefault(target["type"], {})[key] = None
        count += 1
    return {kind: list(keys) for kind, keys in wanted.items()}


def _own(entities: Iterable[Entity], kinds: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for entity in entities:
        if entity.node is not None and entity.node.id in kinds and isinstance(entity.submitter_id, str):
            yield entity.node.id, entity.submitter_id


def _stored(
    graph: Graph, connection: sa.Connection, project_id: str, wanted: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    """Node type and submitter_id of stored records that may be meant.

    They are those that stand next to each key in the order of the index, and some more of each type: all of them, in
    a project that has no more.
    """
    parts = [part for node_id, keys in wanted.items() for part in _near(graph.node(node_id), node_id, project_id, keys)]
    return [(kind, key) for kind, key in connection.execute(sa.union(*parts))]


def _near(table: sa.Table, node_id: str, project_id: str, keys: Sequence[str]) -> list[Any]:
    lower, kind, key = sa.func.lower, sa.literal(node_id).label("type"), table.c._props["submitter_id"].astext
    mine = lower(table.c._props["project_id"].astext) == lower(sa.literal(project_id))
    given = sa.func.unnest(sa.literal(list(keys), ARRAY(sa.Text))).table_valued("value").render_derived()
    low, order = lower(given.c.value), lower(key)
    parts = [sa.select(kind, key.label("key")).where(mine, key.is_not(None)).limit(MAX_COMPARED).subquery()]
    # The index has the order of bytes, which PostgreSQL has operators of their own for.
    for side, direction in (("~>=~", "~<~"), ("~<~", "~>~")):
        ordered: Any = sa.UnaryExpression(order, modifier=custom_op(f"USING {direction}"))
        found = sa.select(key.label("key")).where(mine, order.bool_op(side)(low))
        beside = found.order_by(ordered).limit(_BESIDE).lateral()
        parts.append(sa.select(kind, beside.c.key).select_from(given).join(beside, sa.true()).subquery())
    return [sa.select(part) for part in parts]
