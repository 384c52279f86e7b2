"""Deleting records: only together with everything that cannot be without them."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from ..core.dictionary import LinkGroup, NodeType
from .clearing import Clearing
from .entity import Entity, Outcome, fault
from .picked import Picked, counted
from .request import Submission
from .store import Store

DELETE = "delete"
MAX_DEPENDENTS = 1000
"""Dependent records that an answer names at most."""


class Deletion(Picked):
    """Deletes records of one project by id, all or none."""

    def __init__(self, store: Store, connection: sa.Connection, submission: Submission) -> None:
        super().__init__(store, connection, submission, "deletions", delete=True)

    def run(self) -> Outcome:
        """Do it.

        Raises
        ------
        Rejected
            A record is not there or others depend on it, or this was a dry run.
        """
        for entity in self.entities:
            self._check_states(entity)
        dependents = self._dependents(self.by_type)
        if dependents:
            self._blame(self.entities, dependents)
        count = len(self.entities)
        done = "Dry run successful. Would have deleted" if self.submission.dry_run else "Successfully deleted"
        named = list(dependents)[:MAX_DEPENDENTS]
        return self.conclude(self.outcome(f"{done} {counted(count)}", count, named), self._write)

    def _write(self) -> None:
        for kind, those in self.by_type.items():
            self.store.delete_nodes(self.connection, kind, those, self.id)

    def _check_states(self, entity: Entity) -> None:
        properties = entity.old or {}
        for name, allowed in (("state", (None, "validated")), ("file_state", (None, "registered"))):
            if properties.get(name) not in allowed:
                message = f"Unable to delete: {name} is {properties[name]!r}, and must be {allowed[1]!r}"
                entity.errors.append(fault("INVALID_VALUE", message, [name]))

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


def broken(node: NodeType, kept: Collection[str]) -> bool:
    """Whether a record that keeps only the links named `kept` breaks its type's rules."""
    return any(link.required and link.name not in kept for link in node.links) or any(
        _group_broken(group, kept) for group in node.groups
    )


def _group_broken(group: LinkGroup, kept: Collection[str]) -> bool:
    return group.required and not any(name in kept for name in group.names)


def delete(connection: sa.Connection, store: Store, submission: Submission) -> Outcome:
    """Delete the records whose ids `submission` has, or the properties that it names of them."""
    kind = Clearing if submission.fields else Deletion
    return kind(store, connection, submission).run()
