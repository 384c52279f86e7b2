"""Records that would be their own ancestors.

Only links of types that lead back to themselves (a sample derived from another sample) can make them, and most
dictionaries have none.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from ..core.graph import Graph
from .entity import Entity, Fault, fault
from .store import Store

MAX_NAMED = 20
"""So many records of a large submission are named."""
_ADVICE = "Take out one of the links of the circle."


def refuse_cycles(store: Store, connection: sa.Connection, transaction_id: int, entities: Iterable[Entity]) -> None:
    """Complain of records that their links, which are written already, lead back to."""
    found = _own_ancestors(store.graph, connection, transaction_id)
    names = {(link.source, link.name) for link in store.graph.dictionary.cyclic_links} if found else set()
    for entity in entities if found else ():
        if entity.id in found and entity.node is not None:
            mine = [name for name in entity.links if (entity.node.id, name) in names and entity.links[name]]
            message = f"The links of {entity.submitter_id!r} lead back to itself"
            entity.errors.append(fault("INVALID_LINK", message, mine, "cycle", suggestion=_ADVICE))


def told_at_once(store: Store, connection: sa.Connection, transaction_id: int) -> Fault | None:
    """The same as one fault of a whole submission, whose records are not in memory; None where there is none."""
    found = _own_ancestors(store.graph, connection, transaction_id)
    if not found:
        return None
    named = ", ".join(repr(key or id_) for id_, key in list(found.items())[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return fault("INVALID_LINK", f"The links of {named}{more} lead back to themselves", [], "cycle", suggestion=_ADVICE)


def _own_ancestors(graph: Graph, connection: sa.Connection, transaction_id: int) -> dict[str, str | None]:
    """Id and submitter_id of records of a transaction that are reached by going up from them along cyclic links."""
    links, snapshots = graph.dictionary.cyclic_links, graph.transaction_snapshots
    if not links:
        return {}
    edges = [graph.edge(link) for link in links]
    every = sa.union_all(*(sa.select(edge.c.src_id, edge.c.dst_id) for edge in edges)).subquery()
    mine = sa.select(snapshots.c.entity_id, snapshots.c.new_props["submitter_id"].astext.label("key"))
    made = mine.where(snapshots.c.transaction_id == transaction_id).cte()
    first = sa.select(every.c.src_id.label("start"), every.c.dst_id.label("at"))
    up = first.join(made, made.c.entity_id == every.c.src_id).cte("up", recursive=True)
    up = up.union(sa.select(up.c.start, every.c.dst_id).join(every, every.c.src_id == up.c.at))
    query = sa.select(made.c.entity_id, made.c.key).join(up, up.c.start == made.c.entity_id)
    rows = connection.execute(query.where(up.c.start == up.c.at).order_by(made.c.key))
    return {id_: key for id_, key in rows}  # noqa: C416 - rows are no pairs
