"""From what documents say of their links to the ids of the targets, for all records of a chunk at once."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from ..core.dictionary import Link, NodeType
from .entity import UPDATE, Entity, Project, fault
from .ledger import Ledger
from .links import Target, broken_rules, filled, not_found, only_one, second_children
from .store import Store, grouped

Asked = tuple[Link, Entity, Target]
# Ids of targets by what names them, ``submitter_id`` or ``id``, and by what is given of them there.
Found = Mapping[str, Mapping[str, str]]
# Stands for the id of a record that never got one: nothing is to be said of links to it.
_FAULTY = ""


class Linker:
    """Links the records of one chunk, by node type, to one another and to what is stored.

    Parameters
    ----------
    ledger
        Takes what only the other chunks can tell; None where there are none.
    """

    def __init__(self, store: Store, connection: sa.Connection, project: Project, ledger: Ledger | None = None) -> None:
        self.store = store
        self.connection = connection
        self.project = project
        self.ledger = ledger
        self.nodes = store.graph.dictionary.nodes

    def link(self, by_type: Mapping[str, Sequence[Entity]]) -> None:
        """Set ``links`` of all valid records, and complain of targets that are not there and of broken rules."""
        valid = {kind: [entity for entity in entities if not entity.errors] for kind, entities in by_type.items()}
        wanted = grouped(
            (link.target, (link, entity, target))
            for kind, entities in valid.items()
            for link in self.nodes[kind].links
            for entity in entities
            if link.name in entity.targets
            for target in entity.targets[link.name]
        )
        # Held before edges are read: those to targets that are held stay as they are until the transaction ends.
        found = {
            kind: self._find_targets(kind, asked, by_type.get(kind, ()))
            for kind, asked in sorted(wanted.items())
            if kind != "project"
        }
        for kind, entities in valid.items():
            self._read_parents(kind, entities)
            self._check_rules(self.nodes[kind], entities)
            for entity in entities:
                entity.links = {name: [] for name in entity.targets}
        for kind, asked in sorted(wanted.items()):
            if kind == "project":
                self._link_project(asked)
            else:
                self._set_links(asked, found[kind])
        for kind, entities in valid.items():
            for link in self.nodes[kind].links:
                if link.from_one:
                    self._check_from_one(link, entities)

    def _find_targets(self, kind: str, asked: Sequence[Asked], here: Sequence[Entity]) -> Found:
        """Look for targets among the records of the chunk, and else for stored ones, which are then held."""
        # Of records with one key the first counts, as it does for the others.
        keys = {each.submitter_id.lower(): each for each in reversed(here) if isinstance(each.submitter_id, str)}
        ids = {
            given: each
            for each in reversed(here)
            for given in (each.id, each.document.get("id"))
            if isinstance(given, str)
        }
        near_keys = {key: keys.get(key.lower()) for key in _given(asked, "submitter_id")}
        near_ids = {id_: ids.get(id_) for id_ in _given(asked, "id")}
        # A faulty record of the request that never got an id may stand for one that is stored.
        missing_keys = sorted(key for key, each in near_keys.items() if not _id(each))
        missing_ids = sorted(id_ for id_, each in near_ids.items() if not _id(each))
        exclusive = any(link.from_one for link in {link for link, _, _ in asked})
        read = (self.connection, kind, self.project.project_id)
        far_keys = self.store.targets_by_key(*read, missing_keys, exclusive) if missing_keys else {}
        far_ids = self.store.targets_by_id(*read, missing_ids, exclusive) if missing_ids else set()
        return {
            "submitter_id": {**_known(near_keys), **far_keys},
            "id": {**_known(near_ids), **{id_: id_ for id_ in far_ids}},
        }

    def _set_links(self, asked: Sequence[Asked], found: Found) -> None:
        for link, entity, target in asked:
            parents = {found[name].get(value) for name, value in target.items() if name in found}
            parents.discard(_FAULTY)
            if self.ledger and None in parents and "code" not in target:
                self.ledger.wait(link, entity, target)
            elif "code" in target or len(parents) > 1 or None in parents:
                entity.errors.append(not_found(link, target, self.project.project_id))
            else:
                entity.links[link.name] += [parent for parent in parents if parent]

    def _link_project(self, asked: Sequence[Asked]) -> None:
        for link, entity, target in asked:
            same = target.get("id", self.project.id) == self.project.id
            if not same or target.get("code", self.project.code).lower() != self.project.code.lower():
                message = f"The {link.name} link must lead to the project of the request, {self.project.code}"
                suggestion = f"Name the project {self.project.code!r}, or send the record to its own."
                entity.errors.append(fault("INVALID_PERMISSIONS", message, [link.name], suggestion=suggestion))
            else:
                entity.links[link.name].append(self.project.id)

    def _read_parents(self, kind: str, entities: Sequence[Entity]) -> None:
        stored = [entity for entity in entities if entity.action == UPDATE]
        found: dict[str, dict[str, set[str]]] = {}
        for name, child, parent in self.store.parents(self.connection, kind, [entity.id or "" for entity in stored]):
            found.setdefault(child, {}).setdefault(name, set()).add(parent)
        for entity in stored:
            entity.parents = found.get(entity.id or "", {})

    def _check_rules(self, node: NodeType, entities: Sequence[Entity]) -> None:
        # Most records of a type have the same links.
        right: set[frozenset[str]] = set()
        for entity in entities:
            names = filled(entity)
            if names not in right:
                faults = list(broken_rules(node, names))
                entity.errors += faults
                if not faults:
                    right.add(names)

    def _check_from_one(self, link: Link, entities: Sequence[Entity]) -> None:
        mentioned = [entity for entity in entities if not entity.errors and link.name in entity.links]
        asked = [(entity, entity.id or "", parent) for entity in mentioned for parent in entity.links[link.name]]
        if self.ledger:
            for entity, _, parent in asked:
                self.ledger.only_child(link, entity, parent)
        elif asked:
            parents = sorted({parent for _, _, parent in asked})
            leaving = {entity.id: entity.links[link.name] for entity in mentioned} if link.to_one else {}
            edges = set(self.store.children(self.connection, link, parents))
            stored = {parent: child for child, parent in edges if parent in leaving.get(child, (parent,))}
            # What is stored already is no new child, even where an earlier dictionary has let it be a second one.
            asked = [(entity, child, parent) for entity, child, parent in asked if (child, parent) not in edges]
            for entity in second_children(asked, stored):
                entity.errors.append(only_one(link))


def _given(asked: Sequence[Asked], name: str) -> set[str]:
    return {value for _, _, target in asked if (value := target.get(name)) is not None}


def _id(entity: Entity | None) -> str | None:
    return entity.id if entity else None


def _known(near: Mapping[str, Entity | None]) -> dict[str, str]:
    return {given: each.id or _FAULTY for given, each in near.items() if each is not None}
