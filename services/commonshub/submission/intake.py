"""The first look at submitted records: what can be told of each by itself, and of the keys of all."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.dictionary import NodeType
from ..core.spelling import meant, nearest
from .advice import advice
from .documents import Reading
from .entity import Entity, Project, fault
from .ledger import Key, Ledger, repeated
from .links import read_targets
from .places import spoken
from .tally import Tally
from .validate import Checker, Checkers

MAX_KEY_BYTES = 1000
"""Longest submitter_id: PostgreSQL cannot index keys much longer than twice that."""


class Intake:
    """Makes records of the documents of one submission."""

    def __init__(
        self, nodes: Mapping[str, NodeType], checkers: Checkers, project: Project, reading: Reading, tally: Tally
    ) -> None:
        self.nodes = nodes
        self.checkers = checkers
        self.project = project
        self.reading = reading
        self.tally = tally

    def read(self, documents: Sequence[tuple[int, Any]], ledger: Ledger | None) -> list[Entity]:
        """The records of a chunk, with what is wrong with each by itself, and with keys that are given twice."""
        project_id, reading = self.project.project_id, self.reading
        entities = []
        for number, document in documents:
            if not isinstance(document, dict):
                message = f"A record must be a JSON object, not {str(document)[:80]!r}."
                self.tally.complain({"message": message, **reading.places.place(number, None, None)})
                continue
            entity = Entity(document, None, project_id, document.get("submitter_id"), number)
            entities.append(entity)
            # Once told, they are forgotten: there may be one for each of a million rows.
            entity.warnings.extend(reading.warnings.pop(number, ()))
            entity.errors.extend(reading.faults.pop(number, ()))
            self._read_type(entity)
            if entity.node is not None and not entity.errors:
                self._read_entity(entity, self.checkers[entity.node.id])
        self._read_keys(entities, ledger)
        return entities

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

    def _read_keys(self, entities: Sequence[Entity], ledger: Ledger | None) -> None:
        keys = [(key, entity.node.id, entity.number) for entity in entities if entity.node for key in keys_of(entity)]
        twice = ledger.enter(keys) if ledger else repeated(keys)
        for entity in entities:
            first = twice.get(entity.number)
            if first is not None:
                shown = (entity.project_id, entity.submitter_id)
                message = f"Entity is not unique, ({shown},): the request has it more than once"
                where = spoken(self.reading.places.place(first, None, None))
                more = {
                    "suggestion": f"{where} has the same; take one of them out, or give it a submitter_id of its own."
                }
                entity.errors.append(fault("NOT_UNIQUE", message, ["project_id", "submitter_id"], **more))


def keys_of(entity: Entity) -> list[Key]:
    """What the submission may have once only; not what is too long for a key, which is a fault of its own."""
    keys = []
    if entity.node and isinstance(entity.submitter_id, str):
        keys.append(Key(entity.node.id, entity.submitter_id))
    if isinstance(given := entity.document.get("id"), str):
        keys.append(Key("", given))
    return [key for key in keys if len(key.text) <= MAX_KEY_BYTES >= len(key.text.encode())]


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
