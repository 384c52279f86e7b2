"""One submission: all of its records are written in one database transaction, or none.

The records are worked on chunk by chunk. The steps, each of which looks at all records of a chunk at once:

1. read: node type, JSON Schema, links as text, keys that are given twice;
2. match: which records exist already, by id and by key;
3. merge: new properties;
4. files: find or make index records;
5. link: find the targets, in the request or in the database, and check the rules of links;
6. write.

A record with an error is left out of the later steps, so that one answer tells of all errors that can be told. Most
submissions are one chunk. Where there are more, a :class:`~.ledger.Ledger` knows what the chunks must know of one
another, and the last step is to settle what only all of them can tell: how the chunks are cut changes no outcome.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from ..core.dictionary import Link, NodeType
from ..core.storage import Storage
from ..core.uuids import fresh
from . import files, journal
from .bulk import divided
from .cycles import refuse_cycles, told_at_once
from .entity import CREATE, UPDATE, Entity, Fault, Outcome, fault, faulty
from .finding import Stored
from .ids import is_uuid
from .intake import Intake
from .ledger import Late, Ledger
from .linker import Linker
from .links import not_found, only_one, second_children
from .neighbours import suggest
from .opening import begin
from .places import locate
from .progress import COMMIT, LINKS, Progress
from .request import Submission
from .store import Store
from .tally import Tally
from .validate import Checker, Checkers


@dataclass(frozen=True)
class Sizes:
    """How much is done or told at a time.

    Parameters
    ----------
    chunk
        Records that are worked on at a time.
    told, told_faulty
        See :class:`~.tally.Tally`.
    large_timeout_s
        Time that one statement of a submission of several chunks may take, in seconds.
    """

    chunk: int = 4000
    told: int = 10_000
    told_faulty: int = 1000
    large_timeout_s: int = 3600


@dataclass(frozen=True)
class Tools:
    """What every transaction needs; shared by all requests.

    Parameters
    ----------
    storage
        Knows the buckets that this commons signs URLs for.
    guid_prefix
        Prefix of the GUIDs of new data objects.
    indexed_only
        Whether files must be in the index before they are submitted.
    """

    store: Store
    checkers: Checkers
    index_schema: str
    storage: Storage
    guid_prefix: str
    sizes: Sizes = Sizes()
    indexed_only: bool = False


class Raced(Exception):
    """Somebody else stored a record in between that this submission would have made: it has to begin anew."""


class Rejected(Exception):
    """Unwinds a transaction that must leave nothing, carrying its answer."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.transaction_id)
        self.outcome = outcome


class Transaction:
    """Runs one submission on one connection.

    Parameters
    ----------
    progress
        Is told how far it has come.
    """

    def __init__(
        self, tools: Tools, connection: sa.Connection, submission: Submission, progress: Progress | None = None
    ) -> None:
        self.tools = tools
        self.store = tools.store
        self.connection = connection
        self.submission = submission
        self.reading = submission.reading
        self.progress = progress or Progress()
        self.nodes = tools.store.graph.dictionary.nodes
        self.project, self.id = begin(self.store, connection, submission, "uploads")
        self.now = datetime.now(UTC).isoformat()
        self.tally = Tally(tools.sizes.told, tools.sizes.told_faulty)
        self.intake = Intake(self.nodes, tools.checkers, self.project, self.reading, self.tally)
        self.ledger: Ledger | None = None

    def run(self) -> Outcome:
        """Do it.

        Raises
        ------
        Rejected
            Something is wrong, or this was a dry run: the caller must roll back, and log.
        """
        self.progress.start()
        entities: list[Entity] = []
        for documents, more in chunked(self.reading, self.tools.sizes.chunk):
            self.progress.check()
            if more and self.ledger is None:
                self.store.begin_large(self.connection, self.project.project_id, self.tools.sizes.large_timeout_s)
                self.ledger = Ledger(self.store, self.connection, self.project)
            entities = self._take(documents)
        if self.ledger:
            self.progress.stage = LINKS
            self._settle(self.ledger)
        outcome = divided(self._outcome(), self.reading, self.tally.numbers())
        if not outcome.success:
            stored = self.store if self.submission.reader else None
            suggest(stored, self.connection, self.project.project_id, self.tally.errors(), entities)
        if not outcome.success or self.submission.dry_run:
            raise Rejected(outcome)
        self.progress.stage = COMMIT
        journal.document(self.connection, self.store, self.submission, outcome, self.project.project_id)
        return outcome

    def _take(self, documents: Sequence[tuple[int, Any]]) -> list[Entity]:
        """Do all steps for one chunk."""
        entities = self.intake.read(documents, self.ledger)
        self.progress.read += len(documents)
        kinds = sorted({entity.node.id for entity in entities if entity.node})
        by_type = {
            kind: [entity for entity in entities if entity.node is not None and entity.node.id == kind]
            for kind in kinds
        }
        for kind, those in by_type.items():
            self._match(self.nodes[kind], those)
        for kind, those in by_type.items():
            self._merge(self.tools.checkers[kind], those)
        plan = self._register([entity for entity in entities if entity.node and entity.node.is_file])
        Linker(self.store, self.connection, self.project, self.ledger).link(by_type)
        self.progress.checked += len(documents)
        # Of several chunks each is written, whatever is wrong: the others must find its records.
        if self.ledger or not (faulty(entities) or self.tally.faults):
            self._write(by_type, plan)
            if self.ledger is None:
                refuse_cycles(self.store, self.connection, self.id, entities)
            self.progress.written += len(documents)
        if self.ledger:
            self.ledger.flush()
        for entity in entities:
            if entity.errors or entity.warnings:
                locate(entity, self.reading.places)
        self.tally.add(entities)
        return entities

    def _settle(self, ledger: Ledger) -> None:
        """Tell what only all chunks together can."""
        ledger.settle()
        links = {(kind, link.name): link for kind, node in self.nodes.items() for link in node.links}
        for late in ledger.missing(all_of_them=self.tally.clean):
            error = not_found(links[late.type, late.link], late.target, self.project.project_id)
            self._tell_late(late, error)
        for link, asked, stored in ledger.crowded():
            for late in second_children(((each, each.id or "", each.parent_id or "") for each in asked), stored):
                self._tell_late(late, only_one(link))
        if self.tally.clean and (
            circular := told_at_once(self.store, self.connection, self.project.project_id, self.id)
        ):
            self.tally.complain(circular)
        if self.tally.clean:
            self.store.check_edges(self.connection)

    def _tell_late(self, late: Late, error: Fault) -> None:
        entity = Entity({late.link: late.target}, self.nodes[late.type], self.project.project_id, late.submitter_id)
        entity.number, entity.id, entity.action, entity.errors = late.number, late.id, late.action, [error]
        locate(entity, self.reading.places)
        self.tally.add_fault(entity.number, entity.answer(), known=late.known)

    def _outcome(self) -> Outcome:
        return Outcome(
            transaction_id=self.id,
            entities=self.tally.told(),
            transactional_errors=self.tally.faults,
            dry_run=self.submission.dry_run,
            success_code=201 if self.submission.role == CREATE else 200,
            counts=self.tally.counts,
        )

    # -- 2 match ---------------------------------------------------------------

    def _match(self, node: NodeType, entities: Sequence[Entity]) -> None:
        entities = [entity for entity in entities if not entity.errors]
        keys = [entity.submitter_id for entity in entities if isinstance(entity.submitter_id, str)]
        ids = [entity.document["id"] for entity in entities if entity.document.get("id")]
        project_id = self.project.project_id
        by_key = self.store.by_key(self.connection, node.id, project_id, keys) if keys else {}
        by_id = self.store.by_id(self.connection, node.id, project_id, ids) if ids else {}
        owners = self.store.owners(self.connection, ids)
        for entity in entities:
            given = entity.document.get("id")
            here = by_key.get(entity.submitter_id)
            if given and given in owners and given not in by_id:
                message = f"Entity {given} exists already, and is no {node.id} of project {project_id}"
                entity.errors.append(fault("INVALID_PERMISSIONS", message, ["id"]))
            elif given and (here.id if here else None) != (given if given in by_id else None):
                message = f"{node.id} with {entity.key} already exists in the DB" if here else _other_key(by_id[given])
                entity.errors.append(fault("NOT_UNIQUE", message, ["id", "submitter_id"]))
            else:
                self._accept(entity, node, here or by_id.get(given or ""))
        new = [entity for entity in entities if entity.action == CREATE and entity.id is None]
        for entity, made in zip(new, fresh(len(new)), strict=True):
            entity.id = made

    def _accept(self, entity: Entity, node: NodeType, stored: Stored | None) -> None:
        if stored is None:
            entity.action = CREATE
            entity.id = entity.document.get("id")
            if entity.id is not None and not is_uuid(entity.id):
                message = "Cannot create entity with custom id that is not a UUID."
                entity.errors.append(fault("INVALID_VALUE", message, ["id"], "id"))
            if isinstance(key := entity.submitter_id, str) and key != key.strip():
                # No cell of a table could name it.
                message = f"submitter_id {key!r} begins or ends with a blank"
                entity.errors.append(fault("INVALID_VALUE", message, ["submitter_id"], "blanks"))
        elif self.submission.role == CREATE:
            entity.id = stored.id
            entity.errors.append(exists(entity, node))
        else:
            entity.action, entity.id, entity.old = UPDATE, stored.id, stored.properties

    # -- 3 merge ---------------------------------------------------------------

    def _merge(self, checker: Checker, entities: Sequence[Entity]) -> None:
        stored, project_id = checker.stored, self.project.project_id
        base: dict[str, Any] = {**checker.defaults, "project_id": project_id, **dict.fromkeys(checker.dated, self.now)}
        changed = {"updated_datetime": self.now} if "updated_datetime" in checker.dated else {}
        for entity in entities:
            if entity.errors:
                continue
            document = entity.document
            given = {name: value for name, value in document.items() if name in stored}
            if entity.old is None:
                entity.properties = {name: value for name, value in given.items() if value is not None} | base
                continue
            merged = {**entity.old, **given, **changed}
            entity.properties = {name: value for name, value in merged.items() if value is not None}
            for name in checker.system & document.keys():
                if document[name] != entity.old.get(name):
                    message = f"'{name}' is a system property: the value that was given is ignored"
                    entity.warnings.append(fault("INVALID_PROPERTY", message, [name]))

    # -- 4 files ---------------------------------------------------------------

    def _register(self, entities: Sequence[Entity]) -> files.Plan:
        entities = [entity for entity in entities if not entity.errors]
        if not entities:
            return files.Plan()
        known = files.look_up(self.connection, self.tools.index_schema, entities)
        planner = files.Planner(
            self.project,
            self.submission.username,
            self.tools.storage.buckets,
            known,
            self.tools.guid_prefix,
            self.tools.indexed_only,
        )
        plan = planner.decide(entities)
        files.refuse_shared(self.store, self.connection, entities)
        return plan

    # -- 6 write ---------------------------------------------------------------

    def _write(self, by_type: dict[str, list[Entity]], plan: files.Plan) -> None:
        connection = self.connection
        for kind, those in by_type.items():
            entities = [entity for entity in those if not entity.errors]
            self._create(self.nodes[kind], [entity for entity in entities if entity.action == CREATE])
            old = [entity for entity in entities if entity.action == UPDATE]
            if old:
                self.store.update_nodes(
                    connection, kind, [{"i": each.id, "p": each.properties} for each in old], self.id
                )
                for link in self.nodes[kind].links:
                    self._replace_edges(link, old)
        files.write(connection, self.tools.index_schema, plan)

    def _create(self, node: NodeType, entities: Sequence[Entity]) -> None:
        if not entities:
            return
        # A document may name one target twice.
        edges = {
            link: list(
                dict.fromkeys((each.id or "", parent) for each in entities for parent in each.links.get(link.name, ()))
            )
            for link in node.links
        }
        edges = {link: those for link, those in edges.items() if those}
        rows = [{"i": each.id, "p": each.properties} for each in entities]
        made = self.store.insert_nodes(self.connection, node.id, rows, self.id, edges)
        for entity in entities:
            if entity.id not in made:
                # Somebody else was quicker: the key was free when we looked.
                if self.submission.role == UPDATE:
                    raise Raced
                entity.errors.append(exists(entity, node))

    def _replace_edges(self, link: Link, entities: Sequence[Entity]) -> None:
        name, cleared = link.name, []
        edges: list[tuple[str, str]] = []
        for entity in entities:
            wanted, stored = entity.links.get(name), entity.parents.get(name)
            if wanted is None or (stored is not None and stored == set(wanted)):
                continue
            # One whose targets are yet to come adds to what is stored, as it would if they were here.
            if stored and (link.to_one or not entity.targets.get(name)):
                cleared.append(entity.id or "")
            edges += [(entity.id or "", parent) for parent in wanted]
        self.store.replace_edges(self.connection, link, cleared, edges)


def exists(entity: Entity, node: NodeType) -> dict[str, Any]:
    """The fault of a record that was to be new and is not."""
    message = f"{node.id} with {entity.key} already exists in the DB"
    return fault("ERROR", message, ["project_id", "submitter_id"], "uniqueKeys")


def _other_key(stored: Stored) -> str:
    return (
        f"Entity {stored.id} already exists in the DB with submitter_id {stored.properties.get('submitter_id')!r}, "
        "which cannot be changed"
    )


def chunked(documents: Iterable[Any], size: int) -> Iterator[tuple[list[Any], bool]]:
    """So many documents at a time, and whether there are more."""
    left = iter(documents)
    chunk = list(islice(left, size))
    while chunk:
        following = list(islice(left, size))
        yield chunk, bool(following)
        chunk = following


def submit(
    connection: sa.Connection, tools: Tools, submission: Submission, progress: Progress | None = None
) -> Outcome:
    """Write the records of a submission; see :class:`Transaction`."""
    return Transaction(tools, connection, submission, progress).run()
