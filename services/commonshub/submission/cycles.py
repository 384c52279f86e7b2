"""Records that would be their own ancestors.

Only links of types that lead back to themselves (a sample derived from another sample) can make them, and most
dictionaries have none.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from .entity import Entity, Fault, fault
from .store import Store

MAX_NAMED = 20
"""So many records of a large submission are named."""
_ADVICE = "Take out one of the links of the circle."


def refuse_cycles(store: Store, connection: sa.Connection, transaction_id: int, entities: Sequence[Entity]) -> None:
    """Complain of records that their links, which are written already, lead back to."""
    names = {(link.source, link.name) for link in store.graph.dictionary.cyclic_links}

    def cyclic(entity: Entity) -> list[str]:
        kind = entity.node.id if entity.node else ""
        return [name for name in entity.links if (kind, name) in names and entity.links[name]]

    linked = [entity for entity in entities if cyclic(entity)] if names else []
    if not linked:
        return
    found = _own_ancestors(store, connection, linked[0].project_id, transaction_id)
    for entity in entities if found else ():
        if entity.id in found:
            mine = cyclic(entity)
            message = f"The links of {entity.submitter_id!r} lead back to itself"
            entity.errors.append(fault("INVALID_LINK", message, mine, "cycle", suggestion=_ADVICE))


def told_at_once(store: Store, connection: sa.Connection, project_id: str, transaction_id: int) -> Fault | None:
    """The same as one fault of a whole submission, whose records are not in memory; None where there is none."""
    found = _own_ancestors(store, connection, project_id, transaction_id)
    if not found:
        return None
    named = ", ".join(repr(key or id_) for id_, key in list(found.items())[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return fault("INVALID_LINK", f"The links of {named}{more} lead back to themselves", [], "cycle", suggestion=_ADVICE)


def _own_ancestors(
    store: Store, connection: sa.Connection, project_id: str, transaction_id: int
) -> dict[str, str | None]:
    """Id and submitter_id of records of a transaction that are reached by going up from them along cyclic links.

    Each of two transactions may write one half of a circle. From here to its end a transaction is alone in its project,
    so that the second sees the half of the first.
    """
    graph = store.graph
    links, snapshots = graph.dictionary.cyclic_links, graph.transaction_snapshots
    if not links:
        return {}
    store.lock(connection, f"cycles/{project_id}")
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
