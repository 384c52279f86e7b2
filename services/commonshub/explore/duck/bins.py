"""Histograms of numbers as DuckDB statements."""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

import math
from typing import Any

from commonshub.core.errors import BadRequest

from ..requests import MASKED, Bins, Bucket
from .measures import Run, carried, counted, having, source, told
from .predicate import OWN, Binder, quote

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
    if question.step is None and question.bins is None:
        return [values.whole()]
    step, origin = question.step, question.low or 0.0
    if question.bins is not None:
        low, high = values.range()
        if low is None or high is None:
            return []
        origin = low if question.low is None else question.low
        step = ((high + 1 if question.high is None else question.high) - origin) / question.bins
    assert step is not None
    if step <= 0:
        raise BadRequest(f"The range of {question.place.path} is too narrow for bins.")
    return values.binned(origin, step, max_buckets)


def check_bins(question: Bins) -> None:
    """Raise :class:`BadRequest` for arguments of a histogram that make no sense."""
    if question.step is not None and question.bins is not None:
        raise BadRequest("Invalid rangeStep/binCount: give one of them, not both.")
    if question.step is not None and not (question.step > 0 and math.isfinite(question.step)):
        raise BadRequest(f"Invalid rangeStep {question.step:g}: it must be larger than 0.")
    if question.bins is not None and question.bins <= 0:
        raise BadRequest(f"Invalid binCount {question.bins}: it must be larger than 0.")
    if question.low is not None and question.high is not None and question.low > question.high:
        raise BadRequest(f"Invalid rangeStart {question.low:g} > rangeEnd {question.high:g}.")


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

    def _own(self) -> str:
        return f" where {OWN}" if self.rights.masked else ""

    def whole(self) -> Bucket:
        """One bucket of all."""
        *statistics, count = self._facts()
        low, high = statistics[:2] if count != MASKED else self._edges()
        asked = self.question
        edges = (low if asked.low is None else asked.low, high if asked.high is None else asked.high)
        return Bucket(edges, count) if count == MASKED else Bucket(edges, count, *statistics)

    def _facts(self) -> tuple[Any, ...]:
        *statistics, count = self._split(self._ask(f"select {_STATISTICS}, {self._measures} from {self._scan}")[0])
        return *statistics, count

    def _split(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """Statistics, and the count as far as it is told."""
        return *row[:4], told(self.rights, "", row[4:])

    def _edges(self) -> tuple[Any, ...]:
        return self._ask(f"select min(v), max(v) from {self._scan}{self._own()}")[0]

    def range(self) -> tuple[float | None, float | None]:
        """Smallest and largest number, of all or, where these are not told, of those that the caller may read."""
        low, high, *_, count = self._facts()
        return self._edges() if count == MASKED else (low, high)

    def binned(self, origin: float, step: float, max_buckets: int) -> list[Bucket]:
        """Bins of equal width."""
        place = self.question.place
        start, width = self.binder.bind(float(origin)), self.binder.bind(float(step))
        kept = having(self.rights, "''", self.binder, documents=not place.nests and not place.field.array)
        rows = self._ask(
            f"select b, {_STATISTICS}, {self._measures} "
            f"from (select *, floor((v - {start}) / {width}) b from {self._scan}) "
            f"group by b {kept} order by b limit {max_buckets + 1}"
        )
        found = {int(row[0]): self._split(row[1:]) for row in rows}
        if not found:
            return []
        first, last = min(found), max(found)
        if last - first >= max_buckets:
            raise BadRequest(f"That makes more than {max_buckets} bins: choose a larger rangeStep.")
        # A bin that is empty and one whose few documents are not told look the same.
        none = (None, None, None, None, MASKED) if self.rights.masked else (None, None, None, 0, 0)
        made = []
        for number in range(first, last + 1):
            *statistics, count = found.get(number, none)
            edges = (origin + number * step, origin + (number + 1) * step)
            made.append(Bucket(edges, count) if count == MASKED else Bucket(edges, count, *statistics))
        return made
