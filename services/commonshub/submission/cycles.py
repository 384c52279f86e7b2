"""Records that would be their own ancestors.

Only links of types that lead back to themselves (a sample derived from another sample) can make them, and most
dictionaries have none.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from .entity import Entity, Fault, fault
from .store import Store

MAX_NAMED = 20
"""So many records of a large submission are named."""
_ADVICE = "Take out one of the links of the circle."


def refuse_cycles(store: Store, connection: sa.Connection, transaction_id: int, entities: Iterable[Entity]) -> None:
    """Complain of records that their links, which are written already, lead back to."""
    found = store.own_ancestors(connection, transaction_id)
    names = {(link.source, link.name) for link in store.graph.dictionary.cyclic_links} if found else set()
    for entity in entities if found else ():
        if entity.id in found and entity.node is not None:
            mine = [name for name in entity.links if (entity.node.id, name) in names and entity.links[name]]
            message = f"The links of {entity.submitter_id!r} lead back to itself"
            entity.errors.append(fault("INVALID_LINK", message, mine, "cycle", suggestion=_ADVICE))


def told_at_once(store: Store, connection: sa.Connection, transaction_id: int) -> Fault | None:
    """The same as one fault of a whole submission, whose records are not in memory; None where there is none."""
    found = store.own_ancestors(connection, transaction_id)
    if not found:
        return None
    named = ", ".join(repr(key or id_) for id_, key in list(found.items())[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return fault("INVALID_LINK", f"The links of {named}{more} lead back to themselves", [], "cycle", suggestion=_ADVICE)
