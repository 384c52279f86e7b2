"""The compiled mapping: what to take from the graph and how to flatten it, as data that any engine can execute.

Vocabulary
----------
hop
    One step over a link, down to the children of a node or up to its parents.
take
    One output field and the property that it comes from.
frame
    The documents of one mapping entry before other entries are joined to them.

Nothing here knows a database: tables and columns are named by node type and property, links by :class:`Link`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from commonshub.core.dictionary import Link

from .catalog import DocType, Field, Kind

Function = Literal["count", "sum", "min", "max", "set", "list"]
Operator = Literal["=", "!=", ">", ">=", "<", "<=", "in"]
ID = "id"
LABEL = "type"
LAYOUT = 1
"""How an index lays out its tables and how documents are made; one of another layout is built anew as a whole."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One step over a link.

    Parameters
    ----------
    down
        From parent to child, against the direction in which links are stored.
    """

    link: Link
    down: bool

    @property
    def node(self) -> str:
        """The node type that it leads to."""
        return self.link.source if self.down else self.link.target

    @property
    def single(self) -> bool:
        """Whether the dictionary allows at most one node there."""
        return self.link.from_one if self.down else self.link.to_one


Path = tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """One output field.

    Parameters
    ----------
    source
        Property that it comes from; ``id`` and ``type`` stand for the node's id and type; empty for a bare count.
    function
        How several values become one; None to take one value as it is.
    values
        Replacements of single values, as text; values that are not listed stay.
    from_list
        Whether the source is a list, whose elements a function takes one by one.
    """

    field: Field
    source: str
    function: Function | None = None
    values: tuple[tuple[str, str], ...] = ()
    from_list: bool = False


@dataclass(frozen=True, slots=True)
class Test:
    """A property of a node compares with a value; with a path, that of some node there."""

    source: str
    kind: Kind
    array: bool
    operator: Operator
    values: tuple[str | int | float, ...]
    path: Path = ()
    node: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Several conditions together."""

    every: bool
    parts: tuple["Condition", ...]


Condition = Test | Group


@dataclass(frozen=True, slots=True)
class Flatten:
    """Fields of one related node; the first by `order`, then by id, where there are several."""

    path: Path
    takes: tuple[Take, ...]
    order: tuple[str, bool] | None = None


@dataclass(frozen=True, slots=True)
class Reduce:
    """Fields that sum up all related nodes; a node reached by two ways counts twice, as in Tube."""

    path: Path
    takes: tuple[Take, ...]


@dataclass(frozen=True, slots=True)
class Nested:
    """A list of objects, one for each related node."""

    name: str
    path: Path
    node: str
    takes: tuple[Take, ...]
    condition: Condition | None = None
    nested: tuple["Nested", ...] = ()


@dataclass(frozen=True, slots=True)
class Join:
    """Fields of another entry's documents that agree in some fields. Lists agree when they share a value.

    Parameters
    ----------
    on
        Pairs of our field and theirs.
    """

    doc_type: str
    on: tuple[tuple[Field, Field], ...]
    takes: tuple[Take, ...]


@dataclass(frozen=True, slots=True)
class Aggregator:
    """One document for each node of a type.

    Parameters
    ----------
    project_parts
        Which of ``program_name`` and ``project_code`` come from the document's project.
    """

    doc_type: DocType
    root: str
    takes: tuple[Take, ...]
    project_parts: tuple[str, ...] = ()
    flatten: tuple[Flatten, ...] = ()
    reduce: tuple[Reduce, ...] = ()
    nested: tuple[Nested, ...] = ()
    joins: tuple[Join, ...] = ()
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Collector:
    """One document for each node of a category.

    Parameters
    ----------
    leaves
        Node types of the category, each with the fields that it has.
    project_parts
        Which of ``program_name`` and ``project_code`` come from the document's project.
    inject
        Fields of ancestors, by node type.
    links
        Links that lie on a way from a leaf to one of these ancestors.
    """

    doc_type: DocType
    leaves: tuple[tuple[str, tuple[Take, ...]], ...]
    project_parts: tuple[str, ...]
    inject: tuple[tuple[str, tuple[Take, ...]], ...]
    links: tuple[Link, ...]


Document = Aggregator | Collector


@dataclass(frozen=True)
class Plan:
    """A whole mapping, ready to be executed.

    Parameters
    ----------
    nodes
        Node types to read, each with its properties and their types.
    links
        Links to read; both of their ends are among `nodes`.
    warnings
        What the mapping says that has no effect, by line.
    digest
        Changes when the mapping, the dictionary or the layout of indexes does.
    """

    documents: tuple[Document, ...]
    nodes: Mapping[str, tuple[Field, ...]]
    links: tuple[Link, ...]
    program: Link
    warnings: tuple[str, ...]
    digest: str

    @property
    def doc_types(self) -> tuple[DocType, ...]:
        """The catalogue of the index that it makes."""
        return tuple(document.doc_type for document in self.documents)
