"""What can be asked of an index, and the answers, as plain data that every engine understands.

The caller's rights travel beside the filter, in a field of their own (:attr:`Scope.rights`): nothing that a caller
writes into a query is ever merged with them, so nothing can take them away.

Where rights go beyond what the caller may read, answers are masked: they depend on documents of others only through
groups of at least :attr:`.rights.Rights.limit` of them. Whether a smaller group has many documents, few or none does
not show.
"""

from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, Protocol

from commonshub.core.errors import Unavailable

from .catalog import DocType, Place
from .filters import EVERYTHING, Among, Filter, Within
from .rights import Rights

Value = str | int | float | None
MAX_LISTED = 300_000
"""Most buckets and parts of buckets of one request."""
MAX_ROW_BYTES = 64 * 2**20
"""Most bytes that the rows of one request take as JSON."""
TOO_MANY_LISTED = f"The histograms have more than {MAX_LISTED} buckets together: ask for fewer, or narrow the filter."
TOO_LARGE = f"The rows have more than {MAX_ROW_BYTES // 2**20} MiB together: ask for fewer, or download them."
MASKED = -1
"""Stands for a count that is not told."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents a question is about.

    Parameters
    ----------
    doc_type
        Document type.
    rights
        What the caller may learn of.
    filter
        What the caller asked for.
    """

    doc_type: DocType
    rights: Rights
    filter: Filter = EVERYTHING

    @property
    def sensitive(self) -> Filter | None:
        """What documents meet that do not count unless the caller may read them; of a list, one ``true`` is enough."""
        place = self.doc_type.find(self.rights.sensitive) if self.rights.sensitive else None
        if place is None or place.field.numeric:
            return None
        marked = Among(place, ("true",))
        return Within(place.nests, marked) if place.nests else marked


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key; documents without a value come last either way."""

    place: Place
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents, with the named fields and nests (None: all); their rights are never masked."""

    scope: Scope
    names: tuple[str, ...] | None = None
    order: tuple[Order, ...] = ()
    first: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How many documents; :data:`MASKED` where that is not told."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class ValueCount:
    """How many values a field has; every element of a list counts. :data:`MASKED` where that is not told."""

    scope: Scope
    place: Place


@dataclass(frozen=True, slots=True)
class Cardinality:
    """How many different values a field has, of those that are told."""

    scope: Scope
    place: Place


@dataclass(frozen=True, slots=True)
class Terms:
    """Documents (in a nest: elements) per value, with `missing` also those without one.

    A value is told when the caller may read a document with it, or when enough others have it; its count is
    :data:`MASKED` where these are not enough.
    """

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


@dataclass(frozen=True, slots=True)
class Parts:
    """Documents (in a nest: elements) per bucket of one field and value of another, which lies in the same nest.

    Parameters
    ----------
    low, high
        As in :class:`Bins`.
    origin, step
        Buckets are bins of this width, numbered from this number on.
    together
        All values are one bucket, number 0.
    """

    scope: Scope
    place: Place
    other: Place
    low: float | None = None
    high: float | None = None
    origin: float = 0.0
    step: float | None = None
    together: bool = False


Question = Rows | Count | ValueCount | Cardinality | Terms | Bins | Parts


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bar of a histogram. `key` is a value, None for missing ones, or the two edges of a bin."""

    key: Value | tuple[float | None, float | None]
    count: int
    minimum: float | None = None
    maximum: float | None = None
    average: float | None = None
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What of a bucket has one value of another field; None for those without one."""

    bucket: Value
    key: Value
    count: int


@dataclass(frozen=True)
class Run:
    """Where an index came from."""

    id: int
    doc_types: dict[str, DocType]
    paths: frozenset[str] = field(default_factory=frozenset)


class Away(Unavailable):
    """What holds the index does not answer, so nothing of a request can be answered."""


class Reader(Protocol):
    """An open index. Methods block, so they belong on a worker thread, and may raise :class:`Away`."""

    run: Run

    def close(self) -> None:
        """Give the file and the memory back."""

    def answer(self, questions: list[Question]) -> list[Any]:
        """The answers, in order: lists of documents, numbers, or lists of buckets."""

    def scan(self, rows: Rows, chunk_rows: int) -> Any:
        """The documents of `rows`, a chunk at a time."""

    def parquet(self, rows: Rows) -> BinaryIO:
        """The documents of `rows` as a Parquet file that is gone when it is closed."""

    def matching(self, names: list[str], pattern: str) -> list[str]:
        """The `names` that a regular expression finds, in time linear in its length."""


Format = Literal["json", "ndjson", "csv", "tsv", "parquet", "manifest"]
