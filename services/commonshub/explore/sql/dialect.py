"""Where the SQL of engines differs, and what it has in common.

In common are names in double quotes, ``::`` for casts, the types ``string``, ``bigint`` and ``double``, ``1`` for a
number, joins, groups and windows. How an engine writes texts, lists, structs and what it does with them is its dialect.

Lists compare and are grouped by their elements. An element may be missing; a list may be, too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from ..catalog import Field, Kind

TYPES: dict[Kind, str] = {"string": "string", "boolean": "string", "integer": "bigint", "number": "double"}

Change = Callable[[str], str]
"""What becomes of an expression."""


class Dialect(ABC):
    """How an engine writes what others write otherwise; every method gives an expression, but for :meth:`beside`."""

    def type_of(self, field: Field) -> str:
        """The type of a field."""
        return self.list_type(TYPES[field.kind]) if field.array else TYPES[field.kind]

    @abstractmethod
    def list_type(self, element: str) -> str:
        """The type of lists of a type."""

    @abstractmethod
    def numbered(self, key: str) -> str:
        """What tells the rows of a query apart and sorts them as the different values of `key` do."""

    @abstractmethod
    def literal(self, text: str) -> str:
        """A text."""

    @abstractmethod
    def text(self, value: str) -> str:
        """A value as text: a number as short as it can be told, with an exponent from 1e16 on and below 1e-4."""

    @abstractmethod
    def struct(self, parts: Mapping[str, str]) -> str:
        """A struct of named expressions."""

    @abstractmethod
    def listed(self, items: Sequence[str]) -> str:
        """A list of expressions."""

    @abstractmethod
    def changed(self, values: str, change: Change) -> str:
        """A list with each element changed."""

    @abstractmethod
    def some(self, values: str, test: Change) -> str:
        """Whether some element of a list passes; false or NULL where none does."""

    @abstractmethod
    def each(self, values: str) -> str:
        """The elements of a list, in a row each, as an item of SELECT."""

    @abstractmethod
    def beside(self, values: str, alias: str) -> str:
        """The same, as column ``v`` of `alias`; what to append to FROM."""

    @abstractmethod
    def sorted(self, value: str, *, distinct: bool) -> str:
        """Aggregate: the sorted list of all values that are not missing; empty or NULL where all are."""

    @abstractmethod
    def ordered(self, value: str, order: str) -> str:
        """Aggregate: the list of all values, ordered by an expression that is never missing nor twice the same."""

    @abstractmethod
    def total(self, value: str) -> str:
        """Aggregate: the sum as a double; of whole numbers not rounded before the end."""
