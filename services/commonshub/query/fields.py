"""What the fields of the GraphQL schema stand for.

Vocabulary
----------
meaning
    What a field answers, attached to it when the schema is built and read when a query is planned, so that the two
    never have to agree on names.
neighbours
    The records at the other end of one link: *up* from a child to its parents by the link's name, or down from a
    parent to its children by the link's backref.
listing
    Records of one node type or of several, chosen by arguments.
"""

from dataclasses import dataclass
from typing import Any, Literal

from graphql import GraphQLField

from commonshub.core.dictionary import Link

MEANING = "commonshub"
"""Key of a field's meaning in its ``extensions``."""

INTERFACE_FIELDS = ("id", "submitter_id", "type", "project_id", "created_datetime", "updated_datetime")
"""What all records have."""


@dataclass(frozen=True, slots=True)
class Value:
    """A property of a record, or its ``id``, ``type`` or ``project_id``."""

    name: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a record stands in the list that it is in."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Records of `types`; with `separate_pages`, ``first`` and ``offset`` count for each type by itself."""

    types: tuple[str, ...]
    separate_pages: bool = False


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Records at the other end of a link."""

    link: Link
    up: bool

    @property
    def type(self) -> str:
        """Node type of the neighbours."""
        return self.link.target if self.up else self.link.source


@dataclass(frozen=True, slots=True)
class AnyNeighbours:
    """Records at the other ends of all links of a record of `type`."""

    type: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many records there are in `of`."""

    of: Listing | Neighbours


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Figures of all the records of `type` that are chosen."""

    type: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one property of these records."""

    name: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: of all records, or of a summary, or of a bucket of a histogram."""

    name: Literal["total", "values", "missing", "distinct", "min", "max", "avg", "sum"]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a summary of numbers."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many records there are of each value or range of values; with `groups`, of several properties."""

    of: Literal["values", "ranges", "groups"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """The value, the range or the values of one bucket."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The root fields once more."""


@dataclass(frozen=True, slots=True)
class NodeTypes:
    """The node types of the dictionary as data."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a node type's schema, as text."""

    name: str


@dataclass(frozen=True, slots=True)
class Transactions:
    """Transactions of the submission log, or how many there are; of a record, those that touched it."""

    count: bool
    of_record: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of the submission log."""

    name: str
    kind: Literal["plain", "text", "time", "type", "project_id", "size", "committable"] = "plain"


@dataclass(frozen=True, slots=True)
class Parts:
    """What belongs to a transaction."""

    of: Literal["snapshots", "documents"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A part of a JSON document that the log keeps, by key."""

    name: str
    kind: Literal["scalar", "text", "object", "list"]


@dataclass(frozen=True, slots=True)
class Collected:
    """Objects from all the documents of a transaction, by a JSON path in the answers to them."""

    path: str


Meaning = (
    Value
    | Cursor
    | Listing
    | Neighbours
    | AnyNeighbours
    | Count
    | Aggregate
    | Summary
    | Figure
    | Statistics
    | Histogram
    | Bucket
    | Viewer
    | NodeTypes
    | Entry
    | Transactions
    | Column
    | Parts
    | Stored
    | Collected
)


def meaning(field: GraphQLField) -> Meaning:
    """What a field of the schema stands for."""
    found: Meaning = field.extensions[MEANING]
    return found


def means(what: Meaning) -> dict[str, Any]:
    """The ``extensions`` of a field that stands for `what`."""
    return {MEANING: what}
