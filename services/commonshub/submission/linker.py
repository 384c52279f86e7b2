"""From what documents say of their links to the ids of the targets, for all records of a chunk at once."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from ..core.dictionary import Link
from .entity import UPDATE, Entity, Project, fault
from .ledger import Ledger
from .links import Target, check_groups, not_found, only_one, second_children
from .store import Store, grouped

Asked = tuple[Link, Entity, Target]
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
        for kind, entities in valid.items():
            stored = self._stored_links(kind, entities)
            for entity in entities:
                entity.links = {name: [] for name in entity.targets}
                check_groups(entity, self.nodes[kind], stored.get(entity.id or "", ()))
        for kind, asked in sorted(wanted.items()):
            self._find_targets(kind, asked, by_type.get(kind, ()))
        for kind, entities in valid.items():
            for link in self.nodes[kind].links:
                if link.from_one:
                    self._check_from_one(link, entities)

    def _find_targets(self, kind: str, asked: Sequence[Asked], here: Sequence[Entity]) -> None:
        if kind == "project":
            self._find_project(asked)
            return
        # Of records with one key the first counts, as it does for the others.
        keys = {each.submitter_id.lower(): each for each in reversed(here) if isinstance(each.submitter_id, str)}
        ids = {
            given: each
            for each in reversed(here)
            for given in (each.id, each.document.get("id"))
            if isinstance(given, str)
        }
        far_keys: dict[str, str] = {}
        far_ids: set[str] = set()
        # A faulty record of the request that never got an id may stand for one that is stored.
        missing_keys = {key for key in _given(asked, "submitter_id") if not _id(keys.get(key.lower()))}
        missing_ids = {id_ for id_ in _given(asked, "id") if not _id(ids.get(id_))}
        exclusive = any(link.from_one for link in {link for link, _, _ in asked})
        project_id = self.project.project_id
        if missing_keys:
            far_keys = self.store.targets_by_key(self.connection, kind, project_id, sorted(missing_keys), exclusive)
        if missing_ids:
            far_ids = self.store.targets_by_id(self.connection, kind, project_id, sorted(missing_ids), exclusive)
        for link, entity, target in asked:
            found: set[str | None] = set()
            if (key := target.get("submitter_id")) is not None:
                found.add(_id(keys.get(key.lower())) or far_keys.get(key, _FAULTY if key.lower() in keys else None))
            if (id_ := target.get("id")) is not None:
                found.add(_id(ids.get(id_)) or (id_ if id_ in far_ids else _FAULTY if id_ in ids else None))
            found.discard(_FAULTY)
            if self.ledger and None in found and "code" not in target:
                self.ledger.wait(link, entity, target)
            elif "code" in target or len(found) > 1 or None in found:
                entity.errors.append(not_found(link, target, project_id))
            else:
                entity.links[link.name] += [parent for parent in found if parent]

    def _find_project(self, asked: Sequence[Asked]) -> None:
        for link, entity, target in asked:
            same = target.get("id", self.project.id) == self.project.id
            if not same or target.get("code", self.project.code).lower() != self.project.code.lower():
                message = f"The {link.name} link must lead to the project of the request, {self.project.code}"
                suggestion = f"Name the project {self.project.code!r}, or send the record to its own."
                entity.errors.append(fault("INVALID_PERMISSIONS", message, [link.name], suggestion=suggestion))
            else:
                entity.links[link.name].append(self.project.id)

    def _stored_links(self, kind: str, entities: Sequence[Entity]) -> dict[str, set[str]]:
        ids = [entity.id or "" for entity in entities if entity.action == UPDATE and not entity.errors]
        found: dict[str, set[str]] = {}
        for name, child, _ in self.store.parents(self.connection, kind, ids):
            found.setdefault(child, set()).add(name)
        return found

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
