"""Where an engine keeps the tables between the graph and the documents."""

# ruff: noqa: S608 - names come from the mapping and the dictionary and are quoted

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from ..plan import Take
from .dialect import Dialect
from .expressions import listed, reduced, replaced
from .names import quote

Pair = tuple[Take, str]
"""A take and the expression of its value."""


class Stage(ABC):
    """An engine at work. The tables of the graph are there under the names that :mod:`.names` gives."""

    dialect: Dialect

    @abstractmethod
    def table(self, select: str) -> str:
        """A helper table with the rows of a query."""

    @abstractmethod
    def keep(self, name: str, select: str) -> None:
        """Make a table that many queries read."""

    @abstractmethod
    def closure(self, start: str, step: Callable[[str], str]) -> str:
        """A helper table of all rows of the query `start`, and of those that `step` finds from them, and so on.

        Each is there once, so steps in a circle end.

        Parameters
        ----------
        step
            From the name of a table of such rows, the query of those one step further.
        """

    def first(self, key: str, order: str, items: Sequence[str], found: str) -> str:
        """A table of ``__key`` and items of the first row of each `key` over ``select … found``."""
        nth = f"row_number() over (partition by {key} order by {order}) as __nth"
        return self.table(f"select * from (select {key} as __key, {nth}{listed(items)} {found}) where __nth = 1")

    def reduced(self, key: str, found: str, takes: Sequence[Pair]) -> str:
        """A table of ``__key`` and the reduced takes over ``select key … found``.

        Takes over single values share one query; each over a list has its own, because it takes the list apart.
        """
        plain = [pair for pair in takes if not pair[0].from_list]
        parts = [self._group(key, found, plain)] if plain else []
        each = self.dialect.each
        parts += [self._group(key, found, [(take, each(column))]) for take, column in takes if take.from_list]
        return self.together(parts)

    def _group(self, key: str, found: str, takes: Sequence[Pair]) -> str:
        inner = [f"{column} as v{number}" for number, (take, column) in enumerate(takes) if take.source]
        outer = [
            f"{reduced(self.dialect, take, replaced(self.dialect, take, f'v{number}'))} as {quote(take.field.name)}"
            for number, (take, _) in enumerate(takes)
        ]
        return self.table(
            f"select __key{listed(outer)} from (select {key} as __key{listed(inner)} {found}) group by __key"
        )

    def together(self, parts: Sequence[str]) -> str:
        """One table of several by ``__key``, each of which may lack some."""
        if len(parts) == 1:
            return parts[0]
        return self.table(
            f"select * from {parts[0]}" + "".join(f" full join {part} using (__key)" for part in parts[1:])
        )
