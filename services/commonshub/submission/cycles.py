"""Records that would be their own ancestors.

Only links of types that lead back to themselves (a sample derived from another sample) can make them, and most
dictionaries have none.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from .entity import Entity, fault
from .store import Store


def refuse_cycles(store: Store, connection: sa.Connection, entities: Iterable[Entity]) -> None:
    """Complain of records that their links, which are written already, lead back to."""
    names = {(link.source, link.name) for link in store.graph.dictionary.cyclic_links}
    linked: dict[str, tuple[Entity, list[str]]] = {}
    for entity in entities if names else ():
        node = entity.node
        mine = [name for name in entity.links if node is not None and (node.id, name) in names and entity.links[name]]
        if mine and entity.id is not None:
            linked[entity.id] = (entity, mine)
    for id_ in store.own_ancestors(connection, list(linked)) if linked else ():
        entity, mine = linked[id_]
        message = f"The links of {entity.submitter_id!r} lead back to itself"
        suggestion = "Take out one of the links of the circle."
        entity.errors.append(fault("INVALID_LINK", message, mine, "cycle", suggestion=suggestion))
