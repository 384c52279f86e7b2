"""Parts of facets as aggregations: the documents of each bucket, by the values of another field."""

from dataclasses import replace

from ..masking import Measures, exists
from ..masking import parts as parts_of
from ..requests import Part, Parts, Value
from .bins import limits, middle, numbers_of
from .facets import every, masks, measures, within
from .layout import values_of
from .predicate import exists as has_value
from .predicate import negated
from .steps import MAX_BUCKETS, Body, Measure, Steps

FEW = 1_000
"""Values of the other field that are asked for at once, first."""

Counted = list[tuple[Value, Value, Measures]]
"""Bucket, value of the other field, and what there is of it."""


def parts(question: Parts, max_buckets: int) -> Steps[list[Part]]:
    """Counts by bucket and by the other field's value, the largest first.

    Raises
    ------
    BadRequest
        There are more than `max_buckets`.
    """
    split = _by_value if question.step is None else _by_bin
    counted = yield from split(question, max_buckets)
    return parts_of(counted, question, max_buckets)


def _by_value(question: Parts, max_buckets: int) -> Steps[Counted]:
    """Buckets that are a value each, or one of all."""
    place = question.place
    sources: Body = {"other": {"terms": {"field": values_of(question.other), "missing_bucket": True}}}
    if not question.together:
        sources = {"bucket": {"terms": {"field": values_of(place)}}, **sources}
    inside = limits(place.path, question.low, question.high)
    found = yield from every(question.scope, place.nests, sources, max_buckets, inside)
    return [(0 if question.together else values[0], values[-1], numbers) for values, numbers in found]


def _by_bin(question: Parts, max_buckets: int) -> Steps[Counted]:
    """Buckets that are bins; where one has many parts, these are asked for by themselves."""
    rights, nests = question.scope.rights, question.place.nests
    around, path = numbers_of(question.place)
    counted = masks(rights, nests)
    aggregations: Body = {
        "few": {"terms": {"field": values_of(question.other), "size": FEW}, **counted},
        "missing": {"filter": negated(has_value(question.other.path)), **counted},
    }
    if around != nests:
        # From the numbers of a list back to whose they are.
        back = {"path": ".".join(nests)} if nests else {}
        aggregations = {"back": {"reverse_nested": back, "aggs": aggregations}}
    assert question.step is not None
    histogram = {"field": path, "interval": question.step, "offset": question.origin, "min_doc_count": 1}
    bins = {"bins": {"histogram": histogram, "aggs": aggregations}}
    inside = {"filter": limits(path, question.low, question.high), "aggs": bins}
    (answer,) = yield [Measure(question.scope, within(around, {"inside": inside}), MAX_BUCKETS, divisible=True)]
    found: Counted = []
    if answer is None:
        edge = yield from middle(question, question.origin, question.step)
        for half in (replace(question, high=edge), replace(question, low=edge)):
            if len(found) <= max_buckets:
                found += yield from _by_bin(half, max_buckets)
        return found
    for bucket in answer["inside"]["bins"]["buckets"]:
        number = round((bucket["key"] - question.origin) / question.step)
        few, missing = (bucket.get("back", bucket)[name] for name in ("few", "missing"))
        if few["sum_other_doc_count"]:
            found += yield from _of_bin(question, number, max_buckets)
            continue
        groups = [*((each["key"], each) for each in few["buckets"]), (None, missing)]
        measured = ((value, measures(rights, group)) for value, group in groups)
        found += [(number, value, numbers) for value, numbers in measured if exists(rights, value, numbers)]
    return found


def _of_bin(question: Parts, number: int, max_buckets: int) -> Steps[Counted]:
    assert question.step is not None
    edges = (question.origin + each * question.step for each in (number, number + 1))
    low, high = edges
    within_bin = Parts(
        question.scope, question.place, question.other,
        low if question.low is None else max(low, question.low),
        high if question.high is None else min(high, question.high), together=True,
    )  # fmt: skip
    found = yield from _by_value(within_bin, max_buckets)
    return [(number, value, numbers) for _, value, numbers in found]
