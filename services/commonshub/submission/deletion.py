"""Deleting records: only together with everything that cannot be without them."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from ..core.dictionary import LinkGroup, NodeType
from . import journal
from .entity import Entity, Outcome, fault
from .request import Submission
from .store import Owner, Store, grouped
from .transaction import Rejected, find_project, require_open

DELETE = "delete"
MAX_DEPENDENTS = 1000
"""Dependent records that an answer names at most."""


class Deletion:
    """Deletes records of one project by id, all or none."""

    def __init__(self, store: Store, connection: sa.Connection, submission: Submission) -> None:
        self.store = store
        self.connection = connection
        self.submission = submission
        self.nodes = store.graph.dictionary.nodes
        self.project = find_project(store, connection, submission.program, submission.code, lock=True)
        require_open(self.project, "deletions")
        self.id = store.next_transaction(connection)

    def run(self) -> Outcome:
        """Do it.

        Raises
        ------
        Rejected
            A record is not there or others depend on it, or this was a dry run.
        """
        ids = list(dict.fromkeys(id_ for _, id_ in self.submission.reading))
        owners = {
            id_: owner
            for id_, owner in self.store.owners(self.connection, ids).items()
            if owner.project_id == self.project.project_id
        }
        by_type = grouped((owner.type, id_) for id_, owner in sorted(owners.items()))
        stored = {
            id_: found.properties
            for kind, those in by_type.items()
            for id_, found in self.store.by_id(
                self.connection, kind, self.project.project_id, those, delete=True
            ).items()
        }
        entities = [self._entity(id_, owners.get(id_), stored.get(id_)) for id_ in ids]
        dependents = self._dependents(by_type)
        if dependents:
            self._blame(entities, dependents)
        outcome = self._outcome(entities, dependents)
        if not outcome.success:
            raise Rejected(outcome)
        journal.log(self.connection, self.store, self.submission, self.id, journal.SUCCEEDED)
        for kind, those in by_type.items():
            self.store.delete_nodes(self.connection, kind, those, self.id)
        if self.submission.dry_run:
            raise Rejected(outcome)
        journal.document(self.connection, self.store, self.submission, outcome)
        self.store.announce(self.connection, self.project.project_id)
        return outcome

    def _entity(self, id_: str, owner: Owner | None, properties: Any) -> Entity:
        entity = Entity({}, None, self.project.project_id, id=id_, action=DELETE)
        if owner is None or properties is None:
            entity.action = None
            entity.errors.append(fault("NOT_FOUND", "Entity not found.", ["id"], id=id_))
            return entity
        entity.node = self.nodes[owner.type]
        entity.submitter_id = properties.get("submitter_id")
        for name, allowed in (("state", (None, "validated")), ("file_state", (None, "registered"))):
            if properties.get(name) not in allowed:
                message = f"Unable to delete: {name} is {properties[name]!r}, and must be {allowed[1]!r}"
                entity.errors.append(fault("INVALID_VALUE", message, [name]))
        return entity

    def _dependents(self, by_type: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
        """Records that could not be without those to be deleted: their types and the id that each hangs on.

        They are followed down, because a client that is told of all can delete all in one request.
        """
        gone = {id_ for ids in by_type.values() for id_ in ids}
        found: dict[str, tuple[str, str]] = {}
        frontier = by_type
        while frontier and len(found) < MAX_DEPENDENTS:
            below: dict[str, list[str]] = {}
            for kind, affected in self._children(frontier, gone).items():
                parents: dict[str, dict[str, list[str]]] = {}
                for name, child, parent in self.store.parents(self.connection, kind, sorted(affected)):
                    parents.setdefault(child, {}).setdefault(name, []).append(parent)
                for child in sorted(affected):
                    kept = {name for name, those in parents[child].items() if any(each not in gone for each in those)}
                    if broken(self.nodes[kind], kept):
                        below.setdefault(kind, []).append(child)
                        found[child] = (kind, affected[child])
            gone |= {id_ for ids in below.values() for id_ in ids}
            frontier = below
        return found

    def _children(self, frontier: dict[str, list[str]], gone: Collection[str]) -> dict[str, dict[str, str]]:
        affected: dict[str, dict[str, str]] = {}
        for kind, ids in frontier.items():
            for link in self.store.graph.dictionary.backlinks(kind):
                for child, parent in self.store.children(self.connection, link, ids):
                    if child not in gone:
                        affected.setdefault(link.source, {}).setdefault(child, parent)
        return affected

    def _blame(self, entities: Iterable[Entity], dependents: dict[str, tuple[str, str]]) -> None:
        roots = {entity.id: entity for entity in entities}
        told: dict[str, list[dict[str, str]]] = {}
        for child, (kind, parent) in list(dependents.items())[:MAX_DEPENDENTS]:
            root = parent
            while root not in roots:
                root = dependents[root][1]
            told.setdefault(root, []).append({"id": child, "type": kind})
        for root, those in told.items():
            entity = roots[root]
            message = f"Unable to delete entity because {len(those)} others directly or indirectly depend on it."
            error = fault("INVALID_LINK", message + " You can only delete this entity together with them.", [])
            entity.errors.append({**error, "dependents": those})

    def _outcome(self, entities: Sequence[Entity], dependents: dict[str, tuple[str, str]]) -> Outcome:
        answers = [entity.answer() for entity in entities]
        faulty = any(entity.errors for entity in entities)
        count = 0 if faulty else len(entities)
        noun = "entity" if len(entities) == 1 else "entities"
        message = f"Successfully deleted {count} {noun}"
        if self.submission.dry_run:
            message = f"Dry run successful. Would have deleted {count} {noun}"
        return Outcome(
            transaction_id=self.id,
            entities=answers,
            transactional_errors=[],
            dry_run=self.submission.dry_run,
            success_code=200,
            message="" if faulty else message,
            extra={"deleted_entity_count": count, "dependent_ids": ",".join(list(dependents)[:MAX_DEPENDENTS])},
        )


def broken(node: NodeType, kept: Collection[str]) -> bool:
    """Whether a record that keeps only the links named `kept` breaks its type's rules."""
    return any(link.required and link.name not in kept for link in node.links) or any(
        _group_broken(group, kept) for group in node.groups
    )


def _group_broken(group: LinkGroup, kept: Collection[str]) -> bool:
    return group.required and not any(name in kept for name in group.names)


def delete(connection: sa.Connection, store: Store, submission: Submission) -> Outcome:
    """Delete the records whose ids `submission` has."""
    return Deletion(store, connection, submission).run()
