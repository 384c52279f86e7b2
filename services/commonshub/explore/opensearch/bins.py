"""Histograms of numbers as aggregations.

Numbers of a list are counted one by one, so the objects that are kept beside it are what is looked at.
"""

import math
from dataclasses import replace

from commonshub.core.errors import BadRequest

from ..bins import Bin, check_bins, in_order, spread, whole
from ..catalog import Place
from ..masking import exists, told
from ..requests import MASKED, Bins, Bucket, Parts
from .facets import masks, measures, within
from .layout import ELEMENT, counter_of
from .predicate import Query, bounded, readable
from .predicate import exists as has_value
from .steps import MAX_BUCKETS, Body, Measure, Steps


def bins(question: Bins, max_buckets: int) -> Steps[list[Bucket]]:
    """Buckets of a number: statistics of all values, or of bins of equal width with the empty ones in between.

    Raises
    ------
    BadRequest
        As :func:`commonshub.explore.duck.bins.bins`.
    """
    check_bins(question)
    values = _Values(question)
    if question.step is not None:
        origin, step = question.low or 0.0, question.step
    else:
        facts, low, high = yield from values.whole()
        if question.bins is None:
            return whole(question, facts, low, high)
        if low is None or high is None:
            return []
        origin, step = spread(question, low, high)
    found = yield from values.binned(origin, step, max_buckets)
    return in_order(question, found, origin, step, max_buckets)


def numbers_of(place: Place) -> tuple[tuple[str, ...], str]:
    """Where the numbers of a field are one by one: nests, and the path."""
    if not place.field.array:
        return place.nests, place.path
    path = counter_of(place)
    return tuple(path.split(".")), f"{path}.{ELEMENT}"


def limits(path: str, low: float | None, high: float | None) -> Query:
    """A number is there, and within limits."""
    bounds = {"gte": low, "lt": high}
    given = {name: value for name, value in bounds.items() if value is not None}
    return bounded(path, given) if given else has_value(path)


class _Values:
    """The numbers that a question is about."""

    def __init__(self, question: Bins) -> None:
        self.question = question
        self.scope = question.scope
        self.rights = question.scope.rights
        self.nests, self.path = numbers_of(question.place)
        self._masks = masks(self.rights, self.nests)
        self._limits = limits(self.path, question.low, question.high)
        self._stats: Body = {"stats": {"stats": {"field": self.path}}}

    def _inside(self, aggregations: Body) -> Body:
        return within(self.nests, {"inside": {"filter": self._limits, **aggregations}})

    def whole(self) -> Steps[tuple[Bin, float | None, float | None]]:
        """Facts of all; and the smallest and the largest number, of those that the caller may read if need be."""
        counted = {"aggs": {**self._stats, **self._masks.get("aggs", {})}}
        asks = [Measure(self.scope, self._inside(counted))]
        if self.rights.masked:
            own = {"own": self._inside({"aggs": self._stats})}
            asks.append(Measure(self.scope, {"filter": readable(self.rights), "aggs": own}))
        found = yield [*asks]
        facts = self._bin(found[0]["inside"])
        if facts.count == MASKED:
            seen = found[1]["own"]["inside"]["stats"]
            return facts, self._number(seen["min"]), self._number(seen["max"])
        return facts, facts.minimum, facts.maximum

    def _number(self, value: float | None) -> float | None:
        whole = self.question.place.field.kind == "integer" and value is not None
        return int(value) if whole and value is not None else value

    def _bin(self, bucket: Body) -> Bin:
        stats = bucket["stats"]
        if not stats["count"]:
            return Bin(None, None, None, None, told(self.rights, "", measures(self.rights, bucket)))
        low, high, total = (self._number(stats[name]) for name in ("min", "max", "sum"))
        return Bin(low, high, stats["avg"], total, told(self.rights, "", measures(self.rights, bucket)))

    def binned(self, origin: float, step: float, max_buckets: int) -> Steps[dict[int, Bin]]:
        """Bins of equal width by their numbers; the empty ones are left out."""
        question = self.question
        histogram = {"field": self.path, "interval": step, "offset": origin, "min_doc_count": 1}
        counted = {"histogram": histogram, "aggs": {**self._stats, **self._masks.get("aggs", {})}}
        asked = self._inside({"aggs": {"bins": counted}})
        (found,) = yield [Measure(self.scope, asked, MAX_BUCKETS, divisible=True)]
        if found is None:
            # Those that are masked count for OpenSearch, and must not for the caller: no limit but ours shows.
            edge = yield from middle(question, origin, step)
            halves: dict[int, Bin] = {}
            for part in (replace(question, high=edge), replace(question, low=edge)):
                if len(halves) <= max_buckets:
                    halves |= yield from _Values(part).binned(origin, step, max_buckets)
            return halves
        return {
            round((bucket["key"] - origin) / step): self._bin(bucket)
            for bucket in found["inside"]["bins"]["buckets"]
            if exists(self.rights, "", measures(self.rights, bucket))
        }


def middle(question: Bins | Parts, origin: float, step: float) -> Steps[float]:
    """An edge of bins with numbers on both sides of it.

    Raises
    ------
    BadRequest
        All are in one bin.
    """
    nests, path = numbers_of(question.place)
    asked = {"stats": {"stats": {"field": path}}}
    inside = {"inside": {"filter": limits(path, question.low, question.high), "aggs": asked}}
    (found,) = yield [Measure(question.scope, within(nests, inside))]
    stats = found["inside"]["stats"]
    first, last = (math.floor((float(stats[name]) - origin) / step) for name in ("min", "max"))
    if first == last:
        raise BadRequest(f"A bin of {question.place.path} has too many parts: narrow the filter.")
    return origin + (first + last + 1) // 2 * step
