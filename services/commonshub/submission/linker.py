"""From what documents say of their links to the ids of the targets, for all records of a submission at once."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from ..core.dictionary import Link
from .entity import UPDATE, Entity, Project, fault
from .links import Target, check_from_one, check_groups, not_found
from .store import Store, grouped

Asked = tuple[Link, Entity, Target]


class Linker:
    """Links the records of one submission, by node type, to one another and to what is stored."""

    def __init__(self, store: Store, connection: sa.Connection, project: Project) -> None:
        self.store = store
        self.connection = connection
        self.project = project
        self.nodes = store.graph.dictionary.nodes

    def link(self, by_type: Mapping[str, Sequence[Entity]]) -> None:
        """Set ``links`` of all valid records, and complain of targets that are not there and of broken rules."""
        wanted = grouped(
            (link.target, (link, entity, target))
            for kind, entities in by_type.items()
            for link in self.nodes[kind].links
            for entity in entities
            if not entity.errors and link.name in entity.targets
            for target in entity.targets[link.name]
        )
        for entities in by_type.values():
            for entity in entities:
                entity.links = {name: [] for name in entity.targets}
        for kind, asked in sorted(wanted.items()):
            self._find_targets(kind, asked, by_type.get(kind, ()))
        stored = {kind: self._stored_links(kind, entities) for kind, entities in by_type.items()}
        for kind, entities in by_type.items():
            node = self.nodes[kind]
            for entity in entities:
                if not entity.errors:
                    check_groups(entity, node, stored[kind].get(entity.id or "", ()))
            for link in node.links:
                if link.from_one:
                    self._check_from_one(link, entities)

    def _find_targets(self, kind: str, asked: Sequence[Asked], here: Sequence[Entity]) -> None:
        if kind == "project":
            self._find_project(asked)
            return
        keys = {entity.submitter_id.lower(): entity for entity in here if isinstance(entity.submitter_id, str)}
        ids = {
            given: entity
            for entity in here
            for given in (entity.id, entity.document.get("id"))
            if isinstance(given, str)
        }
        far_keys: dict[str, str] = {}
        far_ids: set[str] = set()
        missing_keys = {
            key for _, _, target in asked if (key := target.get("submitter_id")) is not None and key.lower() not in keys
        }
        missing_ids = {id_ for _, _, target in asked if (id_ := target.get("id")) is not None and id_ not in ids}
        exclusive = any(link.from_one for link in {link for link, _, _ in asked})
        project_id = self.project.project_id
        if missing_keys:
            far_keys = self.store.targets_by_key(self.connection, kind, project_id, sorted(missing_keys), exclusive)
        if missing_ids:
            far_ids = self.store.targets_by_id(self.connection, kind, project_id, sorted(missing_ids), exclusive)
        for link, entity, target in asked:
            found: set[str | None] = set()
            if (key := target.get("submitter_id")) is not None:
                near = keys.get(key.lower())
                found.add((near.id or "") if near else far_keys.get(key))
            if (id_ := target.get("id")) is not None:
                found.add((ids[id_].id or "") if id_ in ids else id_ if id_ in far_ids else None)
            if "code" in target or len(found) != 1 or None in found:
                entity.errors.append(not_found(link, target, project_id))
            else:
                entity.links[link.name].append(found.pop() or "")

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
        parents = sorted({parent for entity in mentioned for parent in entity.links[link.name]})
        if parents:
            stored = self.store.children(self.connection, link, parents)
            leaving = {entity.id or "": entity.links[link.name] for entity in mentioned} if link.to_one else {}
            check_from_one(link, mentioned, stored, leaving)
