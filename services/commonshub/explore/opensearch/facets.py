"""Counts and facets as aggregations.

What is counted in a nest is its elements, and under masked rights the documents around them, too (``reverse_nested``).
The values of a field come by a ``terms`` aggregation where they are few, and otherwise page by page by ``composite``
ones, so that nothing is estimated and none is left out.
"""

from typing import Any

from ..catalog import Place
from ..masking import Groups, Measures, buckets, exists, single
from ..requests import Bucket, Cardinality, Count, Scope, Terms, ValueCount
from ..rights import Rights
from .layout import counter_of, values_of
from .predicate import EVERYTHING, Query, negated, readable
from .predicate import exists as has_value
from .steps import MAX_BUCKETS, Body, Measure, Steps

FEW = 1_000
"""Values of a field that are asked for at once, first."""
PAGE = MAX_BUCKETS
"""Values of a field on a page."""


def within(nests: tuple[str, ...], aggregations: Body) -> Body:
    """Aggregations over the elements of a nest, or over documents."""
    if not nests:
        return {"filter": EVERYTHING, "aggs": aggregations}
    return {"nested": {"path": ".".join(nests)}, "aggs": aggregations}


def masks(rights: Rights, nests: tuple[str, ...]) -> Body:
    """What of a bucket has to be counted beside its size, as aggregations."""
    if not rights.masked:
        return {}
    own = {"own": {"filter": readable(rights)}}
    return {
        "aggs": {"documents": {"reverse_nested": {}, "aggs": own} if nests else {"filter": EVERYTHING, "aggs": own}}
    }


def measures(rights: Rights, bucket: Body, count: int | None = None) -> Measures:
    """The measures of a bucket that has been counted with :func:`masks`.

    Parameters
    ----------
    count
        How many it is to be taken for, instead of its own size.
    """
    size: int = bucket["doc_count"] if count is None else count
    if not rights.masked:
        return (size,)
    documents = bucket["documents"]
    own = documents["own"]["doc_count"]
    return size, own, documents["doc_count"] - own


# -- single numbers ---------------------------------------------------------------


def total(question: Count) -> Steps[int]:
    """Number of documents."""
    rights = question.scope.rights
    (found,) = yield [Measure(question.scope, {"filter": EVERYTHING, **masks(rights, ())})]
    return single(rights, measures(rights, found))


def value_count(question: ValueCount) -> Steps[int]:
    """Number of values."""
    place, rights = question.place, question.scope.rights
    present: Body = {"filter": has_value(place.path), **masks(rights, place.nests)}
    if place.field.array:
        present["aggs"] = {**present.get("aggs", {}), "elements": _elements(place)}
    (found,) = yield [Measure(question.scope, within(place.nests, {"present": present}))]
    found = found["present"]
    count = None
    if place.field.array:
        elements = found["elements"]
        count = int(elements["value"] if "value" in elements else elements["doc_count"])
    return single(rights, measures(rights, found, count))


def _elements(place: Place) -> Body:
    return {"nested": {"path": counter_of(place)}} if place.field.numeric else {"sum": {"field": counter_of(place)}}


def cardinality(question: Cardinality) -> Steps[int]:
    """Exact number of different values."""
    groups = yield from values(question.scope, question.place)
    return len(groups)


# -- values -----------------------------------------------------------------------


def terms(facet: Terms, max_buckets: int) -> Steps[list[Bucket]]:
    """Buckets of a facet."""
    groups = yield from values(facet.scope, facet.place, max_buckets, missing=facet.missing)
    return buckets(groups, facet, max_buckets)


def values(scope: Scope, place: Place, limit: int | None = None, *, missing: bool = False) -> Steps[Groups]:
    """The values of a field that exist for the caller, with `missing` also None; hardly more than `limit`."""
    rights = scope.rights
    counted = masks(rights, place.nests)
    asked = {"few": {"terms": {"field": values_of(place), "size": FEW}, **counted}}
    if missing:
        asked["missing"] = {"filter": negated(has_value(place.path)), **counted}
    (found,) = yield [Measure(scope, within(place.nests, asked), FEW)]
    groups: Groups
    if found["few"]["sum_other_doc_count"]:
        source = {"value": {"terms": {"field": values_of(place)}}}
        groups = [(value, counts) for (value,), counts in (yield from every(scope, place.nests, source, limit))]
    else:
        measured = [(bucket["key"], measures(rights, bucket)) for bucket in found["few"]["buckets"]]
        groups = [(value, counts) for value, counts in measured if exists(rights, value, counts)]
    none = measures(rights, found["missing"]) if missing else None
    return [*groups, (None, none)] if none and exists(rights, None, none) else groups


def every(
    scope: Scope, nests: tuple[str, ...], sources: Body, limit: int | None, wanted: Query = EVERYTHING
) -> Steps[list[tuple[tuple[Any, ...], Measures]]]:
    """Every combination of values that exists for the caller, page by page; hardly more than `limit`.

    Parameters
    ----------
    sources
        The values, as sources of a ``composite`` aggregation; whether a combination exists is decided by the last.
    wanted
        What an element, or a document, has to meet.
    """
    rights = scope.rights
    found: list[tuple[tuple[Any, ...], Measures]] = []
    composite: Body = {"size": PAGE, "sources": [{name: source} for name, source in sources.items()]}
    while True:
        page: Body = {"composite": composite, **masks(rights, nests)}
        asked = within(nests, {"wanted": {"filter": wanted, "aggs": {"page": page}}})
        (answer,) = yield [Measure(scope, asked, PAGE)]
        answer = answer["wanted"]["page"]
        for bucket in answer["buckets"]:
            values, counts = tuple(bucket["key"].values()), measures(rights, bucket)
            if exists(rights, values[-1], counts):
                found.append((values, counts))
        if len(answer["buckets"]) < PAGE or (limit is not None and len(found) > limit):
            return found
        composite = {**composite, "after": answer["after_key"]}
