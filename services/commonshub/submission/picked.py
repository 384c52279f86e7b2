"""Records that a request names by their ids, to do the same to each of them."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from . import journal
from .entity import Entity, Outcome, fault
from .finding import Owner, Stored
from .opening import begin
from .request import Submission
from .store import Store, grouped
from .transaction import Rejected


class Picked:
    """Records of one project, and the transaction that does something to all of them or to none.

    Parameters
    ----------
    what
        What a closed project does not let happen.
    delete
        Whether they are locked for their end.

    Attributes
    ----------
    by_type
        Ids of those that there are, by node type.
    entities
        One for each id, in their order; with a fault where there is none in this project.
    """

    def __init__(
        self, store: Store, connection: sa.Connection, submission: Submission, what: str, *, delete: bool = False
    ) -> None:
        self.store = store
        self.connection = connection
        self.submission = submission
        self.nodes = store.graph.dictionary.nodes
        self.project, self.id = begin(store, connection, submission, what)
        ids = list(dict.fromkeys(id_ for _, id_ in submission.reading))
        owners = {
            id_: owner
            for id_, owner in store.owners(connection, ids).items()
            if owner.project_id == self.project.project_id
        }
        self.by_type = grouped((owner.type, id_) for id_, owner in sorted(owners.items()))
        stored = {
            id_: found
            for kind, those in self.by_type.items()
            for id_, found in store.by_id(connection, kind, self.project.project_id, those, delete=delete).items()
        }
        self.entities = [self._entity(id_, owners.get(id_), stored.get(id_)) for id_ in ids]

    def _entity(self, id_: str, owner: Owner | None, stored: Stored | None) -> Entity:
        entity = Entity({}, None, self.project.project_id, id=id_)
        if owner is None or stored is None:
            entity.errors.append(fault("NOT_FOUND", "Entity not found.", ["id"], id=id_))
            return entity
        entity.action, entity.node, entity.old = self.submission.role, self.nodes[owner.type], stored.properties
        entity.submitter_id = stored.properties.get("submitter_id")
        return entity

    def conclude(self, outcome: Outcome, write: Callable[[], None]) -> Outcome:
        """Do it, and keep its story.

        Raises
        ------
        Rejected
            Something is wrong, or this was a dry run.
        """
        if not outcome.success:
            raise Rejected(outcome)
        write()
        if self.submission.dry_run:
            raise Rejected(outcome)
        journal.document(self.connection, self.store, self.submission, outcome, self.project.project_id)
        return outcome

    def outcome(self, message: str, deleted: int = 0, dependents: Sequence[str] = ()) -> Outcome:
        """What is told of it; `message` and `deleted` hold where nothing is wrong."""
        faulty = any(entity.errors for entity in self.entities)
        return Outcome(
            transaction_id=self.id,
            entities=[entity.answer() for entity in self.entities],
            transactional_errors=[],
            dry_run=self.submission.dry_run,
            success_code=200,
            message="" if faulty else message,
            extra={"deleted_entity_count": 0 if faulty else deleted, "dependent_ids": ",".join(dependents)},
        )


def counted(number: int) -> str:
    """So many records, in words."""
    return f"{number} {'entity' if number == 1 else 'entities'}"
