"""Histograms of numbers as DuckDB statements."""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

from typing import Any

from ..bins import Bin, check_bins, in_order, spread, whole
from ..masking import told
from ..requests import MASKED, Bins, Bucket
from ..sql.names import quote
from .measures import Run, carried, counted, having, source
from .predicate import OWN, Binder

_STATISTICS = "min(v), max(v), avg(v), sum(v)"


def bins(question: Bins, run: Run, max_buckets: int) -> list[Bucket]:
    """Buckets of a number: statistics of all values, or of bins of equal width with the empty ones in between.

    Raises
    ------
    BadRequest
        A width or a number of bins that is not positive, both at once, a range that is upside down, or more bins
        than `max_buckets`.
    """
    check_bins(question)
    values = _Values(question, run)
    if question.step is not None:
        origin, step = question.low or 0.0, question.step
    else:
        facts = values.whole()
        low, high = values.edges() if facts.count == MASKED else (facts.minimum, facts.maximum)
        if question.bins is None:
            return whole(question, facts, low, high)
        if low is None or high is None:
            return []
        origin, step = spread(question, low, high)
    return in_order(question, values.binned(origin, step, max_buckets), origin, step, max_buckets)


class _Values:
    """The numbers that a question is about."""

    def __init__(self, question: Bins, run: Run) -> None:
        self.question = question
        self.rights = question.scope.rights
        self.run = run
        self.binder = Binder()
        place = question.place
        self._measures = counted(self.rights, documents=not place.nests and not place.field.array)
        carry = carried(self.rights)
        scan = f"select d.{quote(place.field.name)} v{carry} {source(question.scope, place.nests, self.binder)}"
        if place.field.array:
            scan = f"select unnest(v) v{carry.replace('d.', '')} from ({scan})"
        limits = ["v is not null"]
        limits += [f"v >= {self.binder.bind(question.low)}"] if question.low is not None else []
        limits += [f"v < {self.binder.bind(question.high)}"] if question.high is not None else []
        self._scan = f"(select * from ({scan}) where {' and '.join(limits)})"

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        return self.run(statement, self.binder.values)

    def whole(self) -> Bin:
        """Facts of all."""
        return self._split(self._ask(f"select {_STATISTICS}, {self._measures} from {self._scan}")[0])

    def _split(self, row: tuple[Any, ...]) -> Bin:
        """Statistics, and the count as far as it is told."""
        minimum, maximum, average, total, *measures = row
        return Bin(minimum, maximum, average, total, told(self.rights, "", tuple(measures)))

    def edges(self) -> tuple[float | None, float | None]:
        """Smallest and largest number of those that the caller may read."""
        own = f" where {OWN}" if self.rights.masked else ""
        low, high = self._ask(f"select min(v), max(v) from {self._scan}{own}")[0]
        return low, high

    def binned(self, origin: float, step: float, max_buckets: int) -> dict[int, Bin]:
        """Bins of equal width by their numbers; the empty ones are left out."""
        place = self.question.place
        start, width = self.binder.bind(float(origin)), self.binder.bind(float(step))
        kept = having(self.rights, "''", self.binder, documents=not place.nests and not place.field.array)
        rows = self._ask(
            f"select b, {_STATISTICS}, {self._measures} "
            f"from (select *, floor((v - {start}) / {width}) b from {self._scan}) "
            f"group by b {kept} order by b limit {max_buckets + 1}"
        )
        return {int(row[0]): self._split(row[1:]) for row in rows}
