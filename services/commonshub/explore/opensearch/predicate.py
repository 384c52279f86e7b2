"""Filters as queries of OpenSearch.

A query either holds or does not, so nothing here is neither true nor false. Linked clauses have been replaced by the
values that they lead to (:mod:`.links`).
"""

import math
from typing import Any

from ..catalog import AUTH_FIELD, Place
from ..filters import All, Among, AnyOf, Compare, Filter, Holds, Like, Linked, Not, Scalar, Search, Within
from ..requests import Scope
from ..rights import Rights
from .layout import LOWER

Query = dict[str, Any]

NOTHING: Query = {"match_none": {}}
EVERYTHING: Query = {"match_all": {}}
_LONGS = range(-(2**63), 2**63)
_BOUNDS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


def query(scope: Scope, limits: Query = EVERYTHING) -> Query:
    """What the documents of a scope meet: the caller's rights, a clause of their own, then the filter, and limits."""
    return {"bool": {"filter": [_rights(scope), predicate(scope.filter), limits]}}


def _rights(scope: Scope) -> Query:
    rights = scope.rights
    if rights.reach == "public":
        return EVERYTHING
    if rights.reach == "own":
        return exists(AUTH_FIELD) if rights.whole else readable(rights)
    # Documents without a path belong to no project for sure, and are nobody's to count.
    parts = [exists(AUTH_FIELD)]
    if rights.reach == "others":
        parts.append(negated(readable(rights)))
    if (sensitive := scope.sensitive) is not None:
        parts.append(any_of([readable(rights), negated(predicate(sensitive))]))
    return all_of(parts)


def readable(rights: Rights) -> Query:
    """What documents meet that the caller may read."""
    return {"terms": {AUTH_FIELD: sorted(rights.paths)}} if rights.paths else NOTHING


def exists(path: str) -> Query:
    """A field has a value."""
    return {"exists": {"field": path}}


def negated(part: Query) -> Query:
    """The query does not hold."""
    return {"bool": {"must_not": [part]}}


def all_of(parts: list[Query]) -> Query:
    """All hold; of none at all, too."""
    return {"bool": {"filter": parts}} if parts else EVERYTHING


def any_of(parts: list[Query]) -> Query:
    """One holds; of none at all none does."""
    return {"bool": {"should": parts, "minimum_should_match": 1}} if parts else NOTHING


def predicate(filter: Filter) -> Query:
    """The query of a filter, on a document or, below a nested clause, on an element."""
    match filter:
        case All(parts):
            return all_of([predicate(part) for part in parts])
        case AnyOf(parts):
            return any_of([predicate(part) for part in parts])
        case Not(part):
            return negated(predicate(part))
        case Within(nests, part):
            return {"nested": {"path": ".".join(nests), "query": predicate(part)}}
        case Among(place, values, missing):
            found = [among(place, values)] if values else []
            return any_of([*found, negated(exists(place.path))] if missing else found)
        case Holds(place, values):
            return all_of([among(place, (value,)) for value in values])
        case Compare():
            return _compare(filter)
        case Search(keyword, places):
            # Folded as the field is, by its normalizer.
            return any_of([_wildcard(f"{place.path}.{LOWER}", f"*{_escaped(keyword)}*") for place in places])
        case Like(place, patterns):
            return any_of([_wildcard(place.path, "*".join(map(_escaped, each.split("*")))) for each in patterns])
        case Linked():
            raise AssertionError("a linked clause must be replaced by its values first")


def among(place: Place, values: tuple[Scalar, ...]) -> Query:
    """A field has one of some values."""
    kept = [_number(place, value) for value in values if _possible(place, value)] if place.field.numeric else [*values]
    return {"terms": {place.path: kept}} if kept else NOTHING


def _possible(place: Place, value: Scalar) -> bool:
    """Whether a number can be the value of a field at all; OpenSearch refuses others."""
    assert not isinstance(value, str)
    if not math.isfinite(value):
        return False
    return place.field.kind == "number" or (value == int(value) and int(value) in _LONGS)


def _number(place: Place, value: Scalar) -> int | float:
    """A number in the type of its field; JSON has none as large as Python's."""
    return int(value) if place.field.kind == "integer" else float(value) + 0.0


def _compare(compare: Compare) -> Query:
    place = compare.place
    bounds: dict[str, int | float] = {}
    for operator, value in compare.bounds:
        if place.field.kind == "integer" and math.isfinite(value) and value != int(value):
            # Of whole numbers, those above 2.5 are those from 3 on.
            value = math.floor(value)
            operator = ">" if operator in (">", ">=") else "<="
        if _possible(place, value):
            bounds[_BOUNDS[operator]] = _number(place, value)
        elif (value > 0) != (operator in ("<", "<=")):
            return NOTHING
    return bounded(place.path, bounds) if bounds else exists(place.path)


def bounded(path: str, bounds: dict[str, Any]) -> Query:
    """A number lies within bounds."""
    return {"range": {path: bounds}}


def _wildcard(path: str, pattern: str) -> Query:
    return {"wildcard": {path: {"value": pattern}}}


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
