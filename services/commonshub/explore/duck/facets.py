"""Aggregations as DuckDB statements.

All text facets over plain columns that see the same documents are answered by one scan (``GROUPING SETS``); lists are
unnested, one scan each; a facet in a nest counts its elements, as Elasticsearch does.
"""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

import math
from collections.abc import Callable, Sequence
from typing import Any

from commonshub.core.errors import BadRequest

from ..catalog import Place, table_of
from ..requests import Bins, Bucket, Cardinality, Scope, Terms, ValueCount
from .predicate import Binder, condition, quote

Run = Callable[[str, dict[str, Any]], list[tuple[Any, ...]]]


def source(scope: Scope, nests: tuple[str, ...], binder: Binder) -> str:
    """FROM and WHERE of the documents of a scope, or of the elements of one of their nests; the alias is ``d``."""
    table = quote(scope.doc_type.name)
    if not nests:
        return f"from {table} d where {condition(scope, 'd', binder)}"
    inner = quote(table_of(scope.doc_type.name, nests))
    return f'from {inner} d where d."_rid" in (select p."_rid" from {table} p where {condition(scope, "p", binder)})'


def terms(facets: Sequence[Terms], run: Run, max_buckets: int) -> list[list[Bucket]]:
    """Buckets of text facets, the facets over plain columns of the same documents together."""
    together: dict[tuple[Scope, tuple[str, ...]], list[Place]] = {}
    for facet in facets:
        if not facet.place.field.array:
            places = together.setdefault((facet.scope, facet.place.nests), [])
            if facet.place not in places:
                places.append(facet.place)
    counted: dict[tuple[Scope, Place], list[tuple[Any, int]]] = {}
    for (scope, nests), places in together.items():
        for place, counts in zip(places, _grouping_sets(scope, nests, places, run, max_buckets), strict=True):
            counted[scope, place] = counts
    for facet in facets:
        if facet.place.field.array and (facet.scope, facet.place) not in counted:
            counted[facet.scope, facet.place] = _elements(facet.scope, facet.place, run, max_buckets)
    return [_buckets(counted[facet.scope, facet.place], facet, max_buckets) for facet in facets]


def _grouping_sets(
    scope: Scope, nests: tuple[str, ...], places: Sequence[Place], run: Run, max_buckets: int
) -> list[list[tuple[Any, int]]]:
    binder = Binder()
    columns = [f"d.{quote(place.field.name)}" for place in places]
    sets = ", ".join(f"({column})" for column in columns)
    numbers = ", ".join(f"grouping({column})" for column in columns)
    rows = run(
        f"select {', '.join(columns)}, {numbers}, count(*) {source(scope, nests, binder)} "
        f"group by grouping sets ({sets}) limit {len(places) * (max_buckets + 2)}",
        binder.values,
    )
    found: list[list[tuple[Any, int]]] = [[] for _ in places]
    for row in rows:
        which = row.index(0, len(places), 2 * len(places)) - len(places)
        found[which].append((row[which], row[-1]))
    return found


def _elements(scope: Scope, place: Place, run: Run, max_buckets: int) -> list[tuple[Any, int]]:
    binder = Binder()
    column = f"d.{quote(place.field.name)}"
    rows = run(
        f"with s as materialized (select {column} v {source(scope, place.nests, binder)}) "
        f"select v, count(*) from (select unnest(list_distinct(v)) v from s) group by v "
        f"union all select null, count(*) from s where coalesce(len(v), 0) = 0 having count(*) > 0 "
        f"limit {max_buckets + 2}",
        binder.values,
    )
    return [(value, count) for value, count in rows]


def _buckets(counts: list[tuple[Any, int]], facet: Terms, max_buckets: int) -> list[Bucket]:
    kept = [(value, count) for value, count in counts if value is not None]
    if len(kept) > max_buckets:
        raise BadRequest(f"{facet.place.path} has more than {max_buckets} different values: narrow the filter.")
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    buckets = [Bucket(value, count) for value, count in kept]
    none = sum(count for value, count in counts if value is None)
    return [*buckets, Bucket(None, none)] if none and facet.missing else buckets


def value_count(question: ValueCount, run: Run) -> int:
    """Number of values."""
    binder = Binder()
    column = f"d.{quote(question.place.field.name)}"
    measure = f"coalesce(sum(len({column})), 0)" if question.place.field.array else f"count({column})"
    scan = source(question.scope, question.place.nests, binder)
    return int(run(f"select {measure} {scan}", binder.values)[0][0])


def cardinality(question: Cardinality, run: Run) -> int:
    """Exact number of different values."""
    binder = Binder()
    column = f"d.{quote(question.place.field.name)}"
    scan = f"select {column} v {source(question.scope, question.place.nests, binder)}"
    if question.place.field.array:
        scan = f"select unnest(v) v from ({scan})"
    return int(run(f"select count(distinct v) from ({scan})", binder.values)[0][0])


def bins(question: Bins, run: Run, max_buckets: int) -> list[Bucket]:
    """Buckets of a number: statistics of all values, or of bins of equal width with the empty ones in between.

    Raises
    ------
    BadRequest
        A width or a number of bins that is not positive, both at once, a range that is upside down, or more bins
        than `max_buckets`.
    """
    check_bins(question)
    binder = Binder()
    column = f"d.{quote(question.place.field.name)}"
    scan = f"select {column} v {source(question.scope, question.place.nests, binder)}"
    if question.place.field.array:
        scan = f"select unnest(v) v from ({scan})"
    limits = ["v is not null"]
    limits += [f"v >= {binder.bind(question.low)}"] if question.low is not None else []
    limits += [f"v < {binder.bind(question.high)}"] if question.high is not None else []
    values = f"select v from ({scan}) where {' and '.join(limits)}"
    measures = "count(*), min(v), max(v), avg(v), sum(v)"
    if question.step is None and question.bins is None:
        count, low, high, average, total = run(f"select {measures} from ({values})", binder.values)[0]
        edges = (low if question.low is None else question.low, high if question.high is None else question.high)
        return [Bucket(edges, count, low, high, average, total)]
    step, origin = question.step, question.low or 0.0
    if question.bins is not None:
        low, high = run(f"select min(v), max(v) from ({values})", binder.values)[0]
        if low is None:
            return []
        origin = low if question.low is None else question.low
        step = ((high + 1 if question.high is None else question.high) - origin) / question.bins
    assert step is not None
    if step <= 0:
        raise BadRequest(f"The range of {question.place.path} is too narrow for bins.")
    numbered = f"select v, floor((v - {binder.bind(float(origin))}) / {binder.bind(float(step))}) b from ({values})"
    rows = run(f"select b, {measures} from ({numbered}) group by b order by b limit {max_buckets + 1}", binder.values)
    return _filled(rows, origin, step, max_buckets)


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


def _filled(rows: list[tuple[Any, ...]], origin: float, step: float, max_buckets: int) -> list[Bucket]:
    if not rows:
        return []
    found = {int(row[0]): row[1:] for row in rows}
    first, last = min(found), max(found)
    if last - first >= max_buckets:
        raise BadRequest(f"That makes more than {max_buckets} bins: choose a larger rangeStep.")
    empty = (0, None, None, None, 0)
    return [
        Bucket((origin + number * step, origin + (number + 1) * step), *found.get(number, empty))
        for number in range(first, last + 1)
    ]
