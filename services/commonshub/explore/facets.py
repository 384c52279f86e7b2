"""Facets in GraphQL: what of a field's histograms, counts and parts is asked of the index, in Guppy's shapes."""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLString,
)

from commonshub.core.errors import BadRequest

from .catalog import MISSING, DocType, Place
from .filters import without
from .requests import MASKED, Bins, Bucket, Cardinality, Part, Parts, Scope, Terms, Value, ValueCount
from .scalars import FLOAT, fields, plain

MAX_SPLIT = 100
"""Fields by which a bucket is told in parts."""
MAX_PARTS = 10_000
"""Values of another field that are listed of one bucket."""

_TERM = GraphQLObjectType("BucketsForNestedTermsFields", fields(key=GraphQLString, count=GraphQLInt))
_TERMS = GraphQLObjectType(
    "BucketsForNestedTermsAgg", fields(field=GraphQLString, count=GraphQLInt, terms=GraphQLList(_TERM))
)
_MISSING = GraphQLObjectType("BucketsForNestedMissingFields", fields(field=GraphQLString, count=GraphQLInt))
_SUB = {"missingFields": GraphQLList(_MISSING), "termsFields": GraphQLList(_TERMS)}
TEXT_BUCKET = GraphQLObjectType("BucketsForNestedStringAgg", fields(key=GraphQLString, count=GraphQLInt, **_SUB))
NUMBER_BUCKET = GraphQLObjectType(
    "BucketsForNestedNumberAgg",
    fields(key=GraphQLList(FLOAT), min=FLOAT, max=FLOAT, avg=FLOAT, sum=FLOAT, count=GraphQLInt, **_SUB),
)


@dataclass(frozen=True)
class Facets:
    """The documents of one ``_aggregation`` field, and how its facets see them.

    Parameters
    ----------
    filter_self
        Whether the clauses on a facet's own field hold for it, too.
    missing, terms
        Fields by which each bucket is told in parts: how many have no value there, and how many have each.
    """

    scope: Scope
    filter_self: bool = True
    missing: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()

    @classmethod
    def parse(cls, doc_type: DocType, info: GraphQLResolveInfo, arguments: dict[str, Any]) -> "Facets":
        """Check the arguments of an aggregation.

        Raises
        ------
        BadRequest
            Names what is wrong.
        """
        rights = info.context.caller.rights(doc_type.name, arguments.get("accessibility") or "all")
        scope = Scope(doc_type, rights, info.context.filter(arguments.get("filter"), doc_type))
        parts = arguments.get("nestedAggFields")
        parts = {} if parts is None else parts
        if not isinstance(parts, dict) or parts.keys() - {"missingFields", "termsFields"}:
            raise BadRequest("nestedAggFields must be an object of missingFields and termsFields.")
        missing, terms = (_names(parts, name) for name in ("missingFields", "termsFields"))
        return cls(scope, arguments.get("filterSelf") is not False, missing, terms)

    @property
    def split(self) -> bool:
        """Whether buckets are told in parts."""
        return bool(self.missing or self.terms)


def _names(parts: dict[str, Any], name: str) -> tuple[str, ...]:
    found = parts.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BadRequest(f"nestedAggFields.{name} must be a list of field names.")
    if len(names := tuple(dict.fromkeys(found))) > MAX_SPLIT:
        raise BadRequest(f"nestedAggFields.{name} has more than {MAX_SPLIT} fields.")
    return names


@dataclass(frozen=True)
class _Facet:
    """One field of them."""

    place: Place
    scope: Scope
    facets: Facets

    def other(self, path: str) -> Place | None:
        """Another field that parts of a bucket can be told by; None where there is none, as in Guppy."""
        found = self.scope.doc_type.find(path)
        if found is not None and found.nests != self.place.nests:
            raise BadRequest(f"nestedAggFields: {path!r} does not lie beside {self.place.path!r}.")
        return found


def narrow(place: Place) -> Callable[..., _Facet]:
    """A resolver of one facet."""

    def resolve(facets: Facets, _: GraphQLResolveInfo) -> _Facet:
        scope = facets.scope
        if not facets.filter_self:
            scope = replace(scope, filter=without(scope.filter, place.path))
        return _Facet(place, scope, facets)

    return resolve


def facet_fields(*, numeric: bool) -> dict[str, GraphQLField]:
    """What can be asked about a facet of text or of numbers."""
    ranges = {name: GraphQLArgument(FLOAT) for name in ("rangeStart", "rangeEnd", "rangeStep")}
    found = {
        "_totalCount": GraphQLField(
            GraphQLInt, resolve=lambda facet, info: info.context.ask(ValueCount(facet.scope, facet.place))
        ),
        "_cardinalityCount": GraphQLField(
            GraphQLInt,
            args={"precision_threshold": GraphQLArgument(GraphQLInt, default_value=3000)},
            resolve=lambda facet, info, **_: info.context.ask(Cardinality(facet.facets.scope, facet.place)),
        ),
        "asTextHistogram": GraphQLField(GraphQLList(TEXT_BUCKET), resolve=_terms),
        "histogram": GraphQLField(GraphQLList(TEXT_BUCKET), resolve=_terms),
    }
    if numeric:
        found["histogram"] = GraphQLField(
            GraphQLList(NUMBER_BUCKET), args={**ranges, "binCount": GraphQLArgument(GraphQLInt)}, resolve=_bins
        )
    return found


def _terms(facet: _Facet, info: GraphQLResolveInfo) -> Any:
    if facet.facets.split:
        asked = info.context.ask(Terms(facet.scope, facet.place, missing=False))
        return _parted(facet, info, asked, _text_bucket, _own_keys)
    question = Terms(facet.scope, facet.place, missing=not facet.place.field.numeric)
    return info.context.ask(question, lambda buckets: [_text_bucket(bucket) for bucket in buckets])


def _text_bucket(bucket: Bucket) -> dict[str, Any]:
    return {"key": _text(bucket.key), "count": bucket.count}


def _text(key: Any) -> str:
    return MISSING if key is None else str(plain(key))


def _bins(facet: _Facet, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    question = Bins(
        facet.scope,
        facet.place,
        low=arguments.get("rangeStart"),
        high=arguments.get("rangeEnd"),
        step=arguments.get("rangeStep"),
        bins=arguments.get("binCount"),
    )
    if facet.facets.split:
        asked = info.context.ask(question)
        return _parted(facet, info, asked, _number_bucket, lambda parts, buckets: _numbered(parts, question, buckets))
    return info.context.ask(question, lambda buckets: [_number_bucket(bucket) for bucket in buckets])


def _number_bucket(bucket: Bucket) -> dict[str, Any]:
    return {
        "key": bucket.key,
        "count": bucket.count,
        "min": bucket.minimum,
        "max": bucket.maximum,
        "avg": bucket.average,
        "sum": bucket.total,
    }


# -- parts of buckets -------------------------------------------------------------

Numbering = Callable[[Parts, Sequence[Bucket]], tuple[Parts, list[Value]]]
"""Makes a question about parts one about certain buckets, and says how the answer names each of these."""


def _own_keys(parts: Parts, buckets: Sequence[Bucket]) -> tuple[Parts, list[Value]]:
    return parts, [bucket.key for bucket in buckets if not isinstance(bucket.key, tuple)]


def _numbered(parts: Parts, bins: Bins, buckets: Sequence[Bucket]) -> tuple[Parts, list[Value]]:
    within = replace(parts, low=bins.low, high=bins.high)
    if bins.step is None and bins.bins is None:
        return replace(within, together=True), [0]
    low, high = buckets[0].key if buckets and isinstance(buckets[0].key, tuple) else (0.0, 1.0)
    assert low is not None
    assert high is not None
    return replace(within, origin=low, step=high - low), list(range(len(buckets)))


async def _parted(
    facet: _Facet,
    info: GraphQLResolveInfo,
    asked: Awaitable[list[Bucket]],
    shape: Callable[[Bucket], dict[str, Any]],
    number: Numbering,
) -> list[dict[str, Any]]:
    """Buckets with their parts; of one whose count is not told there are none."""
    buckets = await asked
    paths = dict.fromkeys((*facet.facets.missing, *facet.facets.terms))
    others = {path: place for path in paths if (place := facet.other(path)) is not None}
    questions = [number(Parts(facet.scope, facet.place, other), buckets) for other in others.values()]
    answers = await asyncio.gather(*(info.context.ask(question) for question, _ in questions))
    split: dict[str, dict[Value, list[Part]]] = {path: {} for path in paths}
    for path, answer in zip(others, answers, strict=True):
        for part in answer:
            split[path].setdefault(part.bucket, []).append(part)
    names = questions[0][1] if questions else [None] * len(buckets)
    return [
        {**shape(bucket), **_sub(facet, bucket, {path: found.get(name, []) for path, found in split.items()}, others)}
        for bucket, name in zip(buckets, names, strict=True)
    ]


def _sub(
    facet: _Facet, bucket: Bucket, parts: Mapping[str, Sequence[Part]], known: Container[str]
) -> dict[str, list[dict[str, Any]]]:
    if bucket.count == MASKED:
        return {}
    none = MASKED if facet.scope.rights.masked else 0
    missing = [
        {"field": path, "count": _missing(parts[path], none) if path in known else bucket.count}
        for path in facet.facets.missing
    ]
    return {"missingFields": missing, "termsFields": [_listed(path, parts[path]) for path in facet.facets.terms]}


def _missing(parts: Sequence[Part], none: int) -> int:
    return next((part.count for part in parts if part.key is None), none)


def _listed(path: str, parts: Sequence[Part]) -> dict[str, Any]:
    terms = [{"key": _text(part.key), "count": part.count} for part in parts if part.key is not None][:MAX_PARTS]
    # Guppy's answer where nothing is found, which its clients look for.
    return {"field": path, "count": len(terms), "terms": terms or [{"key": None, "count": 0}]}
