"""The text of one SQL statement, put together from parts that keep their values apart.

Every value that comes from outside is bound as a parameter; every name that comes from the dictionary is quoted. A
per cent sign is doubled wherever it is not a placeholder, as the driver expects.
"""

# ruff: noqa: S608 -- statements are put together here; values are bound and names quoted

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from commonshub.core.counts import TABLE as COUNTS
from commonshub.core.dictionary import Link
from commonshub.core.errors import BadRequest, TooLarge

MAX_NAME_BYTES = 63
"""PostgreSQL cuts longer identifiers (NAMEDATALEN - 1)."""


def name(text: str) -> str:
    """A quoted identifier."""
    return '"' + text.replace('"', '""').replace("%", "%%") + '"'


def literal(text: str) -> str:
    """A quoted text constant, for names out of the dictionary."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def conjunction(conditions: Sequence[str]) -> str:
    """``where …`` of conditions that must all hold, or nothing."""
    return f" where {' and '.join(conditions)}" if conditions else ""


def disjunction(conditions: Sequence[str]) -> str:
    """One condition of several that may hold; of none, one that never does."""
    return f"({' or '.join(conditions)})" if conditions else "false"


class Tables(Protocol):
    """What stands for the tables of the graph in a statement, each with an alias behind it."""

    def node(self, type_: str) -> str:
        """Records of a node type: ``node_id`` and ``_props``."""
        ...

    def edge(self, link: Link) -> str:
        """Links of a type: ``src_id`` and ``dst_id``."""
        ...

    def counts(self, type_: str) -> str | None:
        """Numbers of ``records`` of a node type that add up, with ``project_id`` in ``_props``, where they are kept."""
        ...

    def log(self, table: str) -> str:
        """A table of the submission log.

        Raises
        ------
        BadRequest
            There is no log beside these records.
        """
        ...


@dataclass(frozen=True)
class GraphTables:
    """The graph as it is now.

    Parameters
    ----------
    schema
        PostgreSQL schema.
    node_table, edge_table
        Name of the table of a node type, and of a link.
    """

    schema: str
    node_table: Callable[[str], str]
    edge_table: Callable[[Link], str]

    def node(self, type_: str) -> str:
        """See :class:`Tables`."""
        return self._table(self.node_table(type_))

    def edge(self, link: Link) -> str:
        """See :class:`Tables`."""
        return self._table(self.edge_table(link))

    def counts(self, type_: str) -> str:
        """See :class:`Tables`."""
        columns = "records, jsonb_build_object('project_id', project_id) as _props"
        return f"(select {columns} from {self._table(COUNTS)} where type = {literal(type_)})"

    def log(self, table: str) -> str:
        """See :class:`Tables`."""
        return self._table(table)

    def _table(self, table: str) -> str:
        return f"{name(self.schema)}.{name(table)}"


@dataclass(frozen=True)
class ReleaseTables:
    """A release: sub-selects that PostgreSQL makes one with the statement around them.

    Parameters
    ----------
    schema
        PostgreSQL schema of releases.
    key
        The number that the rows of the release carry.
    link_key
        What a link is called there.
    """

    schema: str
    key: int
    link_key: Callable[[Link], str]

    def node(self, type_: str) -> str:
        """See :class:`Tables`."""
        return self._rows("release_nodes", "node_id, _props", "type", type_)

    def edge(self, link: Link) -> str:
        """See :class:`Tables`."""
        return self._rows("release_edges", "src_id, dst_id", "link", self.link_key(link))

    def _rows(self, table: str, columns: str, column: str, value: str) -> str:
        source = f"{name(self.schema)}.{table}"
        return f"(select {columns} from {source} where release = {self.key:d} and {column} = {literal(value)})"

    def counts(self, type_: str) -> None:
        """See :class:`Tables`."""

    def log(self, table: str) -> str:
        """See :class:`Tables`."""
        raise BadRequest("A release has no submission log; ask for it without a release.")


@dataclass
class Statement:
    """What a statement needs besides its text: parameters, aliases and common table expressions.

    Parameters
    ----------
    max_parts
        How many of all these there may be: planning takes the database longer with each.
    """

    max_parts: int = 5_000
    parameters: dict[str, Any] = field(default_factory=dict)
    expressions: dict[str, str] = field(default_factory=dict)
    _aliases: int = 0

    def bind(self, value: Any, type_: str) -> str:
        """A placeholder for `value`, cast to `type_`.

        Raises
        ------
        BadRequest
            A text holds a character that PostgreSQL cannot store.
        TooLarge
            The statement has more parts than it may.
        """
        texts = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
        if not _storable("".join(texts)):
            for text in texts:
                storable(text)
        key = f"p{len(self.parameters)}"
        self.parameters[key] = value
        self._check()
        return f"%({key})s::{type_}"

    def alias(self) -> str:
        """A fresh table alias.

        Raises
        ------
        TooLarge
            The statement has more parts than it may.
        """
        self._aliases += 1
        self._check()
        return f"t{self._aliases}"

    def expression(self, key: str, make: Callable[[], str]) -> str:
        """Name of the common table expression `key`, made at its first use."""
        if key not in self.expressions:
            text = make()
            self.expressions[key] = text
        return name(key)

    def _check(self) -> None:
        if self._aliases + len(self.parameters) > self.max_parts:
            raise TooLarge(
                f"The query's fields and filters make more than {self.max_parts} parts of a statement; "
                "ask for them in several queries."
            )

    def text(self, body: str) -> str:
        """The whole statement."""
        if not self.expressions:
            return body
        return f"with {', '.join(f'{name(key)} as {text}' for key, text in self.expressions.items())} {body}"


def storable(text: str) -> str:
    """A text that a client gives, as it is.

    Raises
    ------
    BadRequest
        It holds a character that PostgreSQL cannot store, in a JSON value as little as in a text.
    """
    if not _storable(text):
        raise BadRequest(f"{text[:40]!r} holds a NUL or half a surrogate pair; no record does.")
    return text


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
