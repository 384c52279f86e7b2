"""Properties that are taken from records which stay."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from ..core.dictionary import NodeType
from ..core.spelling import meant, nearest
from .entity import UPDATE, Entity, Fault, Outcome, fault
from .picked import Picked, counted
from .request import Submission
from .store import Store


class Clearing(Picked):
    """Clears the properties that a submission names of all its records, or of none."""

    def __init__(self, store: Store, connection: sa.Connection, submission: Submission) -> None:
        super().__init__(store, connection, submission, "deletions")

    def run(self) -> Outcome:
        """Do it.

        Raises
        ------
        Rejected
            A record is not there or needs one of the properties, or this was a dry run.
        """
        names = self.submission.fields
        for entity in self.entities:
            if entity.node is not None:
                entity.action = UPDATE
                entity.errors += [found for name in names if (found := refused(entity.node, name))]
        done = "Dry run successful. Would have deleted" if self.submission.dry_run else "Successfully deleted"
        message = f"{done} {', '.join(names)} of {counted(len(self.entities))}"
        return self.conclude(self.outcome(message), self._write)

    def _write(self) -> None:
        now = datetime.now(UTC).isoformat()
        by_type: dict[str, list[dict[str, Any]]] = {}
        for entity in self.entities:
            assert entity.node is not None
            by_type.setdefault(entity.node.id, []).append(self._row(entity, entity.node, now))
        for kind, rows in by_type.items():
            self.store.update_nodes(self.connection, kind, rows, self.id)

    def _row(self, entity: Entity, node: NodeType, now: str) -> dict[str, Any]:
        old = entity.old or {}
        kept = {name: value for name, value in old.items() if name not in self.submission.fields}
        dated = {"updated_datetime": now} if "updated_datetime" in node.properties else {}
        return {"i": entity.id, "p": {**kept, **dated}}


def refused(node: NodeType, name: str) -> Fault | None:
    """Why a record of this type cannot be without a property; None where it can."""
    known = node.properties.get(name)
    keys = {key for each in node.unique_keys for key in each}
    if name in node.links_by_name:
        return fault("INVALID_LINK", f"{name!r} is a link of {node.id}; submit null to remove it.", [name], "link")
    if name in keys or name in ("id", "type") or (known and known.system):
        return fault("INVALID_PROPERTY", f"{name!r} of {node.id} is set by the commons, or a key.", [name])
    if known is None:
        likely = nearest(name, tuple(node.properties))
        more: dict[str, Any] = {"suggestion": meant(likely), "nearest": list(likely)} if likely else {}
        return fault(
            "INVALID_PROPERTY", f"{node.id} has no property {name[:80]!r}.", [name], "additionalProperties", **more
        )
    if known.required or not known.nullable:
        return fault("MISSING_PROPERTY", f"{name!r} is a required property of {node.id}", [name])
    if node.is_file and name == "object_id":
        return fault("INVALID_PROPERTY", "A file record cannot be without its data object.", [name], "object")
    return None
