"""The GraphQL schema of an index, generated from its catalogue, in Guppy's names and shapes.

Types are made per run, so a new field shows as soon as the run that brings it is active. Resolvers only translate:
they put questions (:mod:`.requests`) into the request's :class:`Asking`, which answers all of one request together.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    InlineFragmentNode,
    SelectionSetNode,
)

from commonshub.core.errors import BadRequest, Unsupported

from .catalog import MISSING, DocType, Nest, Place
from .filters import Search, parse, searches, without
from .requests import Bins, Bucket, Cardinality, Count, Order, Question, Rows, Scope, Terms, ValueCount


class Asking(Protocol):
    """One request: whose it is and how its questions get answered."""

    access: frozenset[str]
    max_first: int

    def ask(self, question: Question, shape: Callable[[Any], Any] = ...) -> Any:
        """An awaitable of the answer, shaped for GraphQL."""

    def matching(self, names: list[str], pattern: str) -> list[str]:
        """The names that a regular expression finds."""


def _plain(value: Any) -> Any:
    """A number without a useless ``.0``."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


# Guppy declares every number as Float; whole numbers stay whole in the JSON, at any size. graphql-core keeps the name
# for its own scalar, which would write 61 as 61.0, so it is given afterwards.
FLOAT = GraphQLScalarType("Number", serialize=_plain, parse_value=lambda value: _finite(value))
FLOAT.name = "Float"
JSON = GraphQLScalarType("JSON", serialize=lambda value: value, parse_value=lambda value: value)
ACCESSIBILITY = GraphQLEnumType("Accessibility", {name: name for name in ("all", "accessible", "unaccessible")})
FORMAT = GraphQLEnumType("Format", {name: name for name in ("json", "tsv", "csv")})


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise BadRequest(f"{value!r} is not a number.")
    return value


def _fields(**types: GraphQLOutputType) -> dict[str, GraphQLField]:
    return {name: GraphQLField(type_) for name, type_ in types.items()}


MATCHED = GraphQLObjectType("MatchedItem", _fields(field=GraphQLString, highlights=GraphQLList(GraphQLString)))
_TERM = GraphQLObjectType("BucketsForNestedTermsFields", _fields(key=GraphQLString, count=GraphQLInt))
_TERMS = GraphQLObjectType(
    "BucketsForNestedTermsAgg", _fields(field=GraphQLString, count=GraphQLInt, terms=GraphQLList(_TERM))
)
_MISSING = GraphQLObjectType("BucketsForNestedMissingFields", _fields(field=GraphQLString, count=GraphQLInt))
_SUB = {"missingFields": GraphQLList(_MISSING), "termsFields": GraphQLList(_TERMS)}
TEXT_BUCKET = GraphQLObjectType("BucketsForNestedStringAgg", _fields(key=GraphQLString, count=GraphQLInt, **_SUB))
NUMBER_BUCKET = GraphQLObjectType(
    "BucketsForNestedNumberAgg",
    _fields(key=GraphQLList(FLOAT), min=FLOAT, max=FLOAT, avg=FLOAT, sum=FLOAT, count=GraphQLInt, **_SUB),
)


# -- rows ------------------------------------------------------------------------


def build(doc_types: Iterable[DocType]) -> GraphQLSchema:
    """The schema over some document types; over none it has only a placeholder field."""
    maker = _Maker()
    query: dict[str, GraphQLField] = {}
    aggregation: dict[str, GraphQLField] = {}
    mapping: dict[str, GraphQLField] = {}
    for doc_type in doc_types:
        query[doc_type.name] = maker.rows(doc_type)
        aggregation[doc_type.name] = maker.aggregation(doc_type)
        mapping[doc_type.name] = _mapping(doc_type)
    if not query:
        return GraphQLSchema(GraphQLObjectType("Query", _fields(_empty=GraphQLString)))
    query["_aggregation"] = GraphQLField(GraphQLObjectType("Aggregation", aggregation), resolve=_present)
    query["_mapping"] = GraphQLField(GraphQLObjectType("Mapping", mapping), resolve=_present)
    return GraphQLSchema(GraphQLObjectType("Query", query))


def _present(*_: Any) -> dict[str, Any]:
    return {}


class _Maker:
    """Makes the types of one schema, each under a name of its own."""

    def __init__(self) -> None:
        self._taken = {"Query", "Aggregation", "Mapping", "HistogramForString", "HistogramForNumber", "MatchedItem"}
        self._taken |= {"String", "Float", "Int", "Boolean", "ID", "JSON", "Accessibility", "Format"}
        self._nests: dict[Nest, GraphQLObjectType] = {}
        self.text = GraphQLObjectType("HistogramForString", lambda: _facet_fields(numeric=False))
        self.number = GraphQLObjectType("HistogramForNumber", lambda: _facet_fields(numeric=True))

    def _name(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return name

    def rows(self, doc_type: DocType) -> GraphQLField:
        fields = self._values(doc_type)
        fields["_matched"] = GraphQLField(GraphQLList(MATCHED))
        type_ = GraphQLObjectType(self._name(_upper(doc_type.name)), fields)
        return GraphQLField(
            GraphQLList(type_),
            args={
                "offset": GraphQLArgument(GraphQLInt),
                "first": GraphQLArgument(GraphQLInt),
                "filter": GraphQLArgument(JSON),
                "sort": GraphQLArgument(JSON),
                "accessibility": GraphQLArgument(ACCESSIBILITY, default_value="all"),
                "format": GraphQLArgument(FORMAT, default_value="json"),
            },
            resolve=lambda _, info, **arguments: _rows(doc_type, info, arguments),
        )

    def _values(self, nest: Nest) -> dict[str, GraphQLField]:
        fields = {}
        for field in nest.fields:
            scalar = FLOAT if field.numeric else GraphQLString
            fields[field.name] = GraphQLField(GraphQLList(scalar) if field.array else scalar)
        for child in nest.nests:
            fields[child.name] = GraphQLField(GraphQLList(self._nest(child)))
        return fields

    def _nest(self, nest: Nest) -> GraphQLObjectType:
        """Guppy names the type after the field; a second, different one gets a number."""
        if nest not in self._nests:
            self._nests[nest] = GraphQLObjectType(self._name(nest.name), self._values(nest))
        return self._nests[nest]

    def aggregation(self, doc_type: DocType) -> GraphQLField:
        fields = self._facets(doc_type, ())
        fields["_totalCount"] = GraphQLField(
            GraphQLInt, resolve=lambda facets, info: info.context.ask(Count(facets.scope))
        )
        type_ = GraphQLObjectType(self._name(f"{_upper(doc_type.name)}Aggregation"), fields)
        return GraphQLField(
            type_,
            args={
                "filter": GraphQLArgument(JSON),
                "filterSelf": GraphQLArgument(GraphQLBoolean, default_value=True),
                "nestedAggFields": GraphQLArgument(JSON),
                "accessibility": GraphQLArgument(ACCESSIBILITY, default_value="all"),
            },
            resolve=lambda _, info, **arguments: _facets(doc_type, info, arguments),
        )

    def _facets(self, nest: Nest, nests: tuple[str, ...]) -> dict[str, GraphQLField]:
        fields = {}
        for field in nest.fields:
            place = Place(nests, field)
            fields[field.name] = GraphQLField(self.number if field.numeric else self.text, resolve=_narrow(place))
        for child in nest.nests:
            type_ = GraphQLObjectType(
                self._name(f"NestedHistogramFor{_upper(child.name)}"), self._facets(child, (*nests, child.name))
            )
            fields[child.name] = GraphQLField(type_, resolve=lambda facets, _: facets)
        return fields


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def _rows(doc_type: DocType, info: GraphQLResolveInfo, arguments: dict[str, Any]) -> Any:
    asking: Asking = info.context
    first = arguments.get("first")
    first = 10 if first is None else first
    offset = arguments.get("offset") or 0
    if first < 0 or offset < 0:
        raise BadRequest("first and offset must not be negative.")
    if first > asking.max_first:
        raise BadRequest(f"first must be at most {asking.max_first}: use the download endpoint to get more rows.")
    filter = parse(arguments.get("filter"), doc_type)
    names = {name for name in selected(info) if doc_type.field(name) or doc_type.nest(name)}
    found = list(searches(filter)) if "_matched" in selected(info) else []
    names |= {place.field.name for search in found for place in search.places if not place.nests}
    rows = Rows(
        Scope(doc_type, asking.access, filter), tuple(sorted(names)), sort_order(arguments.get("sort"), doc_type),
        first, offset,
    )  # fmt: skip
    return asking.ask(rows, lambda documents: [_matched(document, found) for document in documents])


def _matched(document: dict[str, Any], found: list[Search]) -> dict[str, Any]:
    """The document with what its searches found, marked as Guppy marks it."""
    if found:
        document["_matched"] = [
            {"field": place.path, "highlights": marked}
            for search in found
            for place in search.places
            if (marked := _marked(document.get(place.field.name), search.keyword))
        ]
    return document


def _marked(value: Any, keyword: str) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    pattern = re.compile(re.escape(keyword), re.IGNORECASE)
    return [
        pattern.sub(lambda match: f"<em>{match[0]}</em>", text)
        for text in texts
        if isinstance(text, str) and pattern.search(text)
    ]


def sort_order(document: Any, doc_type: DocType) -> tuple[Order, ...]:
    """Sort keys from ``[{field: "asc" | "desc"}, …]`` or one such object.

    Raises
    ------
    BadRequest
        It has another form, or names what the document type does not have.
    """
    parts = document if isinstance(document, list) else [document] if document is not None else []
    order = []
    for part in parts:
        if not isinstance(part, dict):
            raise BadRequest('Invalid sort argument: give objects like {"field": "asc"}.')
        for path, method in part.items():
            place = doc_type.find(path)
            if place is None or method not in ("asc", "desc"):
                wrong = f"field {path!r}" if place is None else f"method {method!r}"
                raise BadRequest(f"Invalid sort argument: {doc_type.name} cannot be sorted by {wrong}.")
            order.append(Order(place, method == "desc"))
    return tuple(order)


def selected(info: GraphQLResolveInfo) -> set[str]:
    """Names of the fields selected one level below, fragments included."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [node.selection_set for node in info.field_nodes]
    while waiting:
        for node in (waiting.pop() or SelectionSetNode(selections=())).selections:
            if isinstance(node, FieldNode):
                found.add(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                waiting.append(info.fragments[node.name.value].selection_set)
    return found


# -- aggregations ----------------------------------------------------------------


@dataclass(frozen=True)
class _Facets:
    """The documents of one ``_aggregation`` field, and how its facets see them."""

    scope: Scope
    filter_self: bool


@dataclass(frozen=True)
class _Facet:
    """One field of them."""

    place: Place
    scope: Scope
    whole: Scope


def _facets(doc_type: DocType, info: GraphQLResolveInfo, arguments: dict[str, Any]) -> _Facets:
    if arguments.get("nestedAggFields"):
        raise Unsupported("nestedAggFields is not supported yet: ask for each field's histogram under its own filter.")
    scope = Scope(doc_type, info.context.access, parse(arguments.get("filter"), doc_type))
    return _Facets(scope, arguments.get("filterSelf") is not False)


def _narrow(place: Place) -> Callable[..., _Facet]:
    def resolve(facets: _Facets, _: GraphQLResolveInfo) -> _Facet:
        scope = facets.scope
        if not facets.filter_self:
            scope = replace(scope, filter=without(scope.filter, place.path))
        return _Facet(place, scope, facets.scope)

    return resolve


def _facet_fields(*, numeric: bool) -> dict[str, GraphQLField]:
    ranges = {name: GraphQLArgument(FLOAT) for name in ("rangeStart", "rangeEnd", "rangeStep")}
    fields = {
        "_totalCount": GraphQLField(
            GraphQLInt, resolve=lambda facet, info: info.context.ask(ValueCount(facet.scope, facet.place))
        ),
        "_cardinalityCount": GraphQLField(
            GraphQLInt,
            args={"precision_threshold": GraphQLArgument(GraphQLInt, default_value=3000)},
            resolve=lambda facet, info, **_: info.context.ask(Cardinality(facet.whole, facet.place)),
        ),
        "asTextHistogram": GraphQLField(GraphQLList(TEXT_BUCKET), resolve=_terms),
        "histogram": GraphQLField(GraphQLList(TEXT_BUCKET), resolve=_terms),
    }
    if numeric:
        fields["histogram"] = GraphQLField(
            GraphQLList(NUMBER_BUCKET), args={**ranges, "binCount": GraphQLArgument(GraphQLInt)}, resolve=_bins
        )
    return fields


def _terms(facet: _Facet, info: GraphQLResolveInfo) -> Any:
    question = Terms(facet.scope, facet.place, missing=not facet.place.field.numeric)
    return info.context.ask(question, lambda buckets: [_text_bucket(bucket) for bucket in buckets])


def _text_bucket(bucket: Bucket) -> dict[str, Any]:
    key = MISSING if bucket.key is None else str(_plain(bucket.key))
    return {"key": key, "count": bucket.count}


def _bins(facet: _Facet, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    question = Bins(
        facet.scope,
        facet.place,
        low=arguments.get("rangeStart"),
        high=arguments.get("rangeEnd"),
        step=arguments.get("rangeStep"),
        bins=arguments.get("binCount"),
    )
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


def _mapping(doc_type: DocType) -> GraphQLField:
    names = [place.path for place in doc_type.places()]

    def resolve(_: Any, info: GraphQLResolveInfo, **arguments: Any) -> list[str]:
        pattern = arguments.get("searchInput")
        return info.context.matching(names, pattern) if pattern else names

    return GraphQLField(
        GraphQLList(GraphQLString), args={"searchInput": GraphQLArgument(GraphQLString)}, resolve=resolve
    )
