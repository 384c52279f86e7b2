"""One submission: all of its records are written in one database transaction, or none.

The steps, each of which looks at all records at once:

1. read: node type, JSON Schema, links as text, keys that are given twice;
2. match: which records exist already, by id and by key;
3. merge: new properties;
4. link: find the targets, in the request or in the database, and check the rules of links;
5. files: find or make index records;
6. write.

A record with an error is left out of the later steps, so that one answer tells of all errors that can be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa

from ..core.dictionary import Link, NodeType
from ..core.errors import BadRequest, NotFound
from ..core.storage import Storage
from . import files
from .advice import advice, meant, nearest
from .cycles import refuse_cycles
from .documents import Reading, Records
from .entity import CREATE, UPDATE, Entity, Outcome, Project, fault, faulty
from .ids import fresh, is_uuid
from .linker import Linker
from .links import read_targets
from .neighbours import suggest
from .places import locate
from .store import Store, Stored
from .validate import Checker, Checkers

MAX_KEY_BYTES = 1000
"""Longest submitter_id: PostgreSQL cannot index keys much longer than twice that."""


@dataclass(frozen=True)
class Submission:
    """One request to write records.

    Parameters
    ----------
    role
        ``create`` (records must be new) or ``update`` (existing records are merged).
    reading
        Where the documents stand in the body, and what is wrong with them as they are written.
    """

    program: str
    code: str
    documents: Sequence[Any]
    role: str
    dry_run: bool
    username: str | None
    reading: Reading | None = None
    body: str = ""
    format: str = "json"
    name: str | None = None


@dataclass(frozen=True)
class Tools:
    """What every transaction needs; shared by all requests.

    Parameters
    ----------
    storage
        Knows the buckets that this commons signs URLs for.
    guid_prefix
        Prefix of the GUIDs of new data objects.
    """

    store: Store
    checkers: Checkers
    index_schema: str
    storage: Storage
    guid_prefix: str


class Rejected(Exception):
    """Unwinds a transaction that must leave nothing, carrying its answer."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.transaction_id)
        self.outcome = outcome


def find_project(store: Store, connection: sa.Connection, program: str, code: str, lock: bool = False) -> Project:
    """The project of a path.

    Raises
    ------
    NotFound
        There is none.
    """
    project = store.project(connection, program, code, lock)
    if project is None:
        raise NotFound(f"Project {code} not found")
    return project


def require_open(project: Project, what: str) -> None:
    """Refuse changes of a project that is closed for them.

    Raises
    ------
    BadRequest
        The project's state is not ``open``.
    """
    state = project.properties.get("state", "open")
    if state != "open":
        raise BadRequest(f"Project is in state '{state}', which prevents {what}. Open the project first.")


class Transaction:
    """Runs one submission on one connection."""

    def __init__(self, tools: Tools, connection: sa.Connection, submission: Submission) -> None:
        self.tools = tools
        self.store = tools.store
        self.connection = connection
        self.submission = submission
        self.reading = submission.reading or Records(list(submission.documents))
        self.nodes = tools.store.graph.dictionary.nodes
        self.project = find_project(self.store, connection, submission.program, submission.code, lock=True)
        require_open(self.project, "uploads")
        self.id = self.store.next_transaction(connection)
        self.now = datetime.now(UTC).isoformat()
        self.entities: list[Entity] = []
        self.faults: list[Any] = []
        self.plan = files.Plan()

    def run(self) -> Outcome:
        """Do it.

        Raises
        ------
        Rejected
            Something is wrong, or this was a dry run: the caller must roll back, and log.
        """
        self._read()
        by_type = {kind: self._of_type(kind) for kind in sorted({each.node.id for each in self.entities if each.node})}
        for kind, entities in by_type.items():
            self._match(self.nodes[kind], entities)
        for kind, entities in by_type.items():
            self._merge(self.tools.checkers[kind], entities)
        Linker(self.store, self.connection, self.project).link(by_type)
        self._register([entity for entity in self.entities if entity.node and entity.node.is_file])
        if self.faults or faulty(self.entities):
            suggest(self.store, self.connection, self.project.project_id, self.entities)
            raise Rejected(self._outcome())
        self._write(by_type)
        outcome = self._outcome()
        if not outcome.success or self.submission.dry_run:
            raise Rejected(outcome)
        self.store.log_document(self.connection, document_row(self.submission, self.id), orjson.dumps(outcome.answer()))
        self.store.announce(self.connection, self.project.project_id)
        return outcome

    def _outcome(self) -> Outcome:
        for entity in self.entities:
            if entity.errors or entity.warnings:
                locate(entity, self.reading.places)
        return Outcome(
            transaction_id=self.id,
            entities=[entity.answer() for entity in self.entities],
            transactional_errors=self.faults,
            dry_run=self.submission.dry_run,
            success_code=201 if self.submission.role == CREATE else 200,
        )

    def _of_type(self, kind: str) -> list[Entity]:
        return [entity for entity in self.entities if entity.node is not None and entity.node.id == kind]

    # -- 1 read ----------------------------------------------------------------

    def _read(self) -> None:
        project_id, reading = self.project.project_id, self.reading
        seen: dict[tuple[str, str], int] = {}
        for number, document in reading:
            if not isinstance(document, dict):
                message = f"A record must be a JSON object, not {str(document)[:80]!r}."
                self.faults.append({"message": message, **reading.places.place(number, None, None)})
                continue
            entity = Entity(document, None, project_id, document.get("submitter_id"), number)
            self.entities.append(entity)
            if number in reading.warnings:
                entity.warnings.extend(reading.warnings[number])
            if number in reading.faults:
                entity.errors.extend(reading.faults[number])
            self._read_type(entity)
            if entity.node is None:
                continue
            if not entity.errors:
                self._read_entity(entity, self.tools.checkers[entity.node.id])
            self._read_key(entity, seen)

    def _read_type(self, entity: Entity) -> None:
        kind = entity.document.get("type")
        node = self.nodes.get(kind) if isinstance(kind, str) else None
        if entity.errors:
            entity.node = node
        elif not kind:
            entity.errors.append(fault("MISSING_PROPERTY", "'type' is a required property", ["type"]))
        elif node is None:
            likely = nearest(str(kind), tuple(self.nodes))
            more: dict[str, Any] = {"suggestion": meant(likely), "nearest": list(likely)} if likely else {}
            message = f"There is no node type {str(kind)[:80]!r}"
            entity.errors.append(fault("INVALID_TYPE", message, ["type"], **more))
        elif node.id in ("program", "project") or node.category == "internal":
            message = f"{kind} is not an entity that can be upload via the project endpoint."
            entity.errors.append(fault("INVALID_TYPE", message, ["type"]))
        else:
            entity.node = node

    def _read_entity(self, entity: Entity, checker: Checker) -> None:
        if checker.node.is_file and "urls" in entity.document and "urls" not in checker.node.properties:
            _take_urls(entity)
        document = entity.document
        if not checker.is_valid(document):
            entity.errors.extend(checker.faults(document))
        elif checker.keyed and not (entity.submitter_id and isinstance(entity.submitter_id, str)):
            entity.errors.append(fault("MISSING_PROPERTY", "'submitter_id' is a required property", ["submitter_id"]))
        elif checker.keyed and len(entity.submitter_id.encode()) > MAX_KEY_BYTES:
            message = f"submitter_id is longer than {MAX_KEY_BYTES} bytes"
            more = {"suggestion": advice("maxLength", None, MAX_KEY_BYTES)}
            entity.errors.append(fault("INVALID_VALUE", message, ["submitter_id"], "maxLength", **more))
        if not isinstance(document.get("id"), str | None):
            entity.errors.append(fault("INVALID_VALUE", "id must be a text", ["id"]))
        given = document.get("project_id")
        if given is not None and given != entity.project_id:
            message = f"Entity is owned by project {given}, not {entity.project_id}"
            entity.errors.append(fault("INVALID_PERMISSIONS", message, ["project_id"]))
        read_targets(entity, checker.node)

    def _read_key(self, entity: Entity, seen: dict[tuple[str, str], int]) -> None:
        assert entity.node is not None
        keys = []
        if isinstance(entity.submitter_id, str):
            keys.append((entity.node.id, entity.submitter_id.lower()))
        if isinstance(given := entity.document.get("id"), str):
            keys.append(("", given))
        first = next((seen[key] for key in keys if key in seen), None)
        if first is not None:
            shown = (entity.project_id, entity.submitter_id)
            message = f"Entity is not unique, ({shown},): the request has it more than once"
            row = self.reading.places.place(first, None, None)["row"]
            suggestion = f"Row {row} has the same; take one of them out, or give it a submitter_id of its own."
            entity.errors.append(fault("NOT_UNIQUE", message, ["project_id", "submitter_id"], suggestion=suggestion))
        for key in keys:
            seen.setdefault(key, entity.number)

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

    # -- 5 files ---------------------------------------------------------------

    def _register(self, entities: Sequence[Entity]) -> None:
        entities = [entity for entity in entities if not entity.errors]
        if not entities:
            return
        known = files.look_up(self.connection, self.tools.index_schema, self.project, entities)
        planner = files.Planner(
            self.project, self.submission.username, self.tools.storage.buckets, known, self.tools.guid_prefix
        )
        self.plan = planner.decide(entities)

    # -- 6 write ---------------------------------------------------------------

    def _write(self, by_type: dict[str, list[Entity]]) -> None:
        connection = self.connection
        self.store.log(connection, log_row(self.submission, self.id, "SUCCEEDED"))
        for kind, entities in by_type.items():
            new = [{"i": each.id, "p": each.properties} for each in entities if each.action == CREATE]
            made = self.store.insert_nodes(connection, kind, new, self.id) if new else set()
            for entity in entities:
                if entity.action == CREATE and entity.id not in made:
                    # Somebody else was quicker: the key was free when we looked.
                    entity.errors.append(exists(entity, self.nodes[kind]))
            changed = [
                {"i": each.id, "p": each.properties, "o": each.old} for each in entities if each.action == UPDATE
            ]
            if changed:
                self.store.update_nodes(connection, kind, changed, self.id)
        if faulty(self.entities):
            return
        for kind, entities in by_type.items():
            for link in self.nodes[kind].links:
                self._write_edges(link, entities)
        refuse_cycles(self.store, connection, self.entities)
        files.write(connection, self.tools.index_schema, self.plan)

    def _write_edges(self, link: Link, entities: Sequence[Entity]) -> None:
        name = link.name
        mentioned = [entity for entity in entities if name in entity.links]
        cleared = [
            entity.id or ""
            for entity in mentioned
            if entity.action == UPDATE and (link.to_one or not entity.links[name])
        ]
        edges = [(entity.id or "", parent) for entity in mentioned for parent in entity.links[name]]
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


def _take_urls(entity: Entity) -> None:
    entity.document = dict(entity.document)
    value = entity.document.pop("urls")
    if isinstance(value, str):
        value = [url.strip() for url in value.split(",") if url.strip()]
    if value is None:
        return
    if isinstance(value, list) and all(isinstance(url, str) for url in value):
        entity.urls = value
    else:
        entity.errors.append(fault("INVALID_VALUE", "urls must be a list of texts", ["urls"]))


def log_row(submission: Submission, transaction_id: int, state: str) -> dict[str, Any]:
    """The row of ``transaction_logs``.

    The documents are kept once, as they came, in ``transaction_documents``; here only those of a dry run are needed,
    because it can be committed later.
    """
    return {
        "id": transaction_id,
        "submitter": submission.username,
        "role": submission.role,
        "program": submission.program,
        "project": submission.code,
        "is_dry_run": submission.dry_run,
        "state": state,
        "closed": False,
        "canonical_json": list(submission.documents) if submission.dry_run else [],
    }


def document_row(submission: Submission, transaction_id: int) -> dict[str, Any]:
    """The row of ``transaction_documents``, without the answer."""
    return {
        "transaction_id": transaction_id,
        "name": submission.name,
        "doc_format": submission.format.upper(),
        "doc": submission.body,
    }


def submit(connection: sa.Connection, tools: Tools, submission: Submission) -> Outcome:
    """Write the records of a submission; see :class:`Transaction`."""
    return Transaction(tools, connection, submission).run()


def log_rejected(connection: sa.Connection, tools: Tools, submission: Submission, outcome: Outcome) -> None:
    """Keep the story of a transaction that left nothing else."""
    state = "SUCCEEDED" if outcome.success else "FAILED"
    tools.store.log(connection, log_row(submission, outcome.transaction_id, state))
    row = document_row(submission, outcome.transaction_id)
    tools.store.log_document(connection, row, orjson.dumps(outcome.answer()))
