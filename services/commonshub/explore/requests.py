"""What can be asked of an index, and the answers, as plain data that every engine understands.

The caller's rights travel beside the filter, in a field of their own (:attr:`Scope.access`): nothing that a caller
writes into a query is ever merged with them, so nothing can take them away.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from .catalog import DocType, Place
from .filters import EVERYTHING, Filter

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents a question is about.

    Parameters
    ----------
    doc_type
        Document type.
    access
        Values of ``auth_resource_path`` that the caller may read; documents with any other do not exist for them.
    filter
        What the caller asked for.
    """

    doc_type: DocType
    access: frozenset[str]
    filter: Filter = EVERYTHING


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key; documents without a value come last either way."""

    place: Place
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents, with the named fields and nests (None: all)."""

    scope: Scope
    names: tuple[str, ...] | None = None
    order: tuple[Order, ...] = ()
    first: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How many documents."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class ValueCount:
    """How many values a field has; every element of a list counts."""

    scope: Scope
    place: Place


@dataclass(frozen=True, slots=True)
class Cardinality:
    """How many different values a field has."""

    scope: Scope
    place: Place


@dataclass(frozen=True, slots=True)
class Terms:
    """Documents (in a nest: elements) per value, with `missing` also those without one."""

    scope: Scope
    place: Place
    missing: bool = True


@dataclass(frozen=True, slots=True)
class Bins:
    """Statistics of a number per bin.

    Parameters
    ----------
    low, high
        Only values from `low` up to but not including `high`.
    step
        Width of the bins.
    bins
        Number of bins instead; with neither there is one bin for all.
    """

    scope: Scope
    place: Place
    low: float | None = None
    high: float | None = None
    step: float | None = None
    bins: int | None = None


Question = Rows | Count | ValueCount | Cardinality | Terms | Bins


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar of a histogram. `key` is a value, None for missing ones, or the two edges of a bin."""

    key: Value | tuple[float | None, float | None]
    count: int
    minimum: float | None = None
    maximum: float | None = None
    average: float | None = None
    total: float | None = None


@dataclass(frozen=True)
class Run:
    """Where an index came from."""

    id: int
    doc_types: dict[str, DocType]
    paths: frozenset[str] = field(default_factory=frozenset)


class Reader(Protocol):
    """An open index. Methods block, so they belong on a worker thread."""

    run: Run

    def close(self) -> None:
        """Give the file and the memory back."""

    def answer(self, questions: list[Question]) -> list[Any]:
        """The answers, in order: lists of documents, numbers, or lists of buckets."""

    def scan(self, rows: Rows, chunk_rows: int) -> Any:
        """The documents of `rows`, a chunk at a time."""

    def matching(self, names: list[str], pattern: str) -> list[str]:
        """The `names` that a regular expression finds, in time linear in its length."""


Format = Literal["json", "ndjson", "csv", "tsv"]
