"""One submitted record on its way into the graph, and how the answer tells of it.

The shapes, the error types and the fixed sentences are those that Gen3's clients read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ..core.dictionary import NodeType

Fault = dict[str, Any]
Document = dict[str, Any]

CREATE, UPDATE = "create", "update"


MAX_MESSAGE_CHARS = 1000
"""Longest message of a fault: those that come from schemas repeat the value, and all that would have been allowed."""
_RULES: Mapping[str, str] = {
    "INVALID_LINK": "target",
    "INVALID_PERMISSIONS": "project",
    "INVALID_PROPERTY": "systemProperties",
    "INVALID_TYPE": "nodeType",
    "INVALID_VALUE": "type",
    "MISSING_PROPERTY": "required",
    "NOT_FOUND": "id",
    "NOT_UNIQUE": "uniqueKeys",
}


def fault(kind: str, message: str, keys: Sequence[str] = (), rule: str | None = None, **more: Any) -> Fault:
    """One entry of an entity's ``errors`` or ``warnings``.

    Parameters
    ----------
    kind
        ``INVALID_LINK``, ``INVALID_PERMISSIONS``, ``INVALID_PROPERTY``, ``INVALID_TYPE``, ``INVALID_VALUE``,
        ``MISSING_PROPERTY``, ``NOT_UNIQUE``, ``NOT_FOUND`` or ``ERROR``.
    keys
        The properties concerned.
    rule
        The rule that is broken, where `kind` does not say it: a keyword of JSON Schema or a rule of the commons.
    """
    if len(message) > MAX_MESSAGE_CHARS:
        half = MAX_MESSAGE_CHARS // 2
        message = f"{message[:half]} … {message[-half:]}"
    return {"keys": list(keys), "message": message, "type": kind, "rule": rule or _RULES.get(kind), **more}


class Project(NamedTuple):
    """The project that a request speaks of."""

    program: str
    code: str
    id: str
    properties: Mapping[str, Any]

    @property
    def project_id(self) -> str:
        """``<program>-<code>``, as the records carry it."""
        return f"{self.program}-{self.code}"

    @property
    def resource(self) -> str:
        """Resource path that grants are given on."""
        return resource_path(self.program, self.code)


def resource_path(program: str, code: str | None = None) -> str:
    """Resource path of a program, or of one of its projects."""
    return f"/programs/{program}" + (f"/projects/{code}" if code is not None else "")


@dataclass(slots=True, eq=False)
class Entity:
    """One submitted record.

    Parameters
    ----------
    number
        Where it stands in what was sent, as :mod:`.places` has it.
    links
        For every link that the document mentions, the ids of its targets; empty to remove what is stored.
    targets
        What the document says of its links, before it is looked up.
    parents
        For every link that it has in the database, the ids of its targets there.
    """

    document: Document
    node: NodeType | None
    project_id: str
    submitter_id: Any = None
    number: int = 0
    id: str | None = None
    action: str | None = None
    old: Mapping[str, Any] | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)
    targets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    parents: dict[str, set[str]] = field(default_factory=dict)
    urls: list[str] | None = None
    errors: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    @property
    def key(self) -> dict[str, Any]:
        """The key that submitters know the record by."""
        return {"project_id": self.project_id, "submitter_id": self.submitter_id}

    def answer(self) -> dict[str, Any]:
        """The record's part of the answer."""
        kind = self.node.id if self.node else self.document.get("type")
        return answer_of(self.id, kind, self.key, self.action, self.errors, self.warnings)


def answer_of(
    id_: str | None,
    kind: Any,
    key: Mapping[str, Any],
    action: str | None,
    errors: list[Fault],
    warnings: Sequence[Fault] = (),
) -> dict[str, Any]:
    """What an answer tells of one record."""
    return {
        "action": action,
        "errors": errors,
        "id": id_,
        "type": kind,
        "unique_keys": [dict(key)],
        "valid": not errors,
        "warnings": list(warnings),
    }


class Counts(NamedTuple):
    """How many records a request has, how many of them are invalid, new and changed; and its faults beside those."""

    total: int = 0
    invalid: int = 0
    created: int = 0
    updated: int = 0
    faults: int = 0


@dataclass
class Outcome:
    """What became of one request.

    Parameters
    ----------
    entities
        What is told of its records: of all, or of some where `counts` has more.
    success_code
        HTTP status of a success: 200, or 201 where records could only be created.
    """

    transaction_id: int
    entities: list[dict[str, Any]]
    transactional_errors: list[Any]
    dry_run: bool
    success_code: int
    message: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    counts: Counts | None = None

    @cached_property
    def counted(self) -> Counts:
        """The counts, taken from `entities` where none are given."""
        if self.counts is not None:
            return self.counts
        actions = [entity["action"] for entity in self.entities]
        return Counts(
            total=len(self.entities),
            invalid=sum(not entity["valid"] for entity in self.entities),
            created=actions.count(CREATE),
            updated=actions.count(UPDATE),
            faults=len(self.transactional_errors),
        )

    @property
    def invalid(self) -> int:
        """Number of invalid records."""
        return self.counted.invalid

    @property
    def success(self) -> bool:
        """Whether everything was, or on a dry run would have been, written."""
        return not self.counted.faults and not self.counted.invalid

    @property
    def code(self) -> int:
        """HTTP status, also told in the body."""
        return (200 if self.dry_run else self.success_code) if self.success else 400

    def answer(self) -> dict[str, Any]:
        """The body of the answer."""
        counted, success = self.counted, self.success
        untold = counted.total - len(self.entities)
        return {
            "transaction_id": self.transaction_id,
            "success": success,
            "code": self.code,
            "message": self.message or self._sentence(),
            "entities": self.entities,
            "entity_error_count": counted.invalid,
            "transactional_errors": self.transactional_errors,
            "transactional_error_count": counted.faults,
            "created_entity_count": counted.created if success else 0,
            "updated_entity_count": counted.updated if success else 0,
            **({"entity_count": counted.total, "untold_entity_count": untold} if untold else {}),
            **self.extra,
        }

    def _sentence(self) -> str:
        if self.success and self.dry_run:
            return (
                "Transaction would have been successful. User selected dry run option, transaction aborted, "
                "no data written to database."
            )
        if self.success:
            return "Transaction successful."
        counted = self.counted
        reasons = []
        if counted.invalid:
            reasons.append(f"{counted.invalid} invalid entit{'y' if counted.invalid == 1 else 'ies'}")
        if counted.faults:
            reasons.append(f"{counted.faults} transactional error(s)")
        told = sum(not entity["valid"] for entity in self.entities) + len(self.transactional_errors)
        more = counted.invalid + counted.faults - told
        return f"Transaction aborted due to {' and '.join(reasons)}" + (f", {more} of them not told." if more else ".")


def faulty(entities: Iterable[Entity]) -> bool:
    """Whether any of `entities` is invalid."""
    return any(entity.errors for entity in entities)
