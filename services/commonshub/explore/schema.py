"""The GraphQL schema of an index, generated from its catalogue, in Guppy's names and shapes.

Types are made per run, so a new field shows as soon as the run that brings it is active. Resolvers only translate:
they put questions (:mod:`.requests`) into the request's :class:`.asking.Asking`, which answers all of one request
together.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
    InlineFragmentNode,
    SelectionSetNode,
)

from commonshub.core.errors import AuthenticationRequired, BadRequest

from .asking import Asking
from .catalog import DocType, Nest, Place
from .facets import Facets, facet_fields, narrow
from .filters import Search, searches
from .requests import MASKED, Count, Order, Rows, Scope
from .scalars import ACCESSIBILITY, FLOAT, FORMAT, JSON, fields
from .sets import TYPES as SET_TYPES
from .sets import changes, listing
from .tiers import OUT_OF_SCOPE

MATCHED = GraphQLObjectType("MatchedItem", fields(field=GraphQLString, highlights=GraphQLList(GraphQLString)))


# -- rows ------------------------------------------------------------------------


def build(doc_types: Iterable[DocType]) -> GraphQLSchema:
    """The schema over some document types; over none it has only a placeholder field."""
    maker = _Maker()
    known = {doc_type.name: doc_type for doc_type in doc_types}
    query: dict[str, GraphQLField] = {}
    aggregation: dict[str, GraphQLField] = {}
    mapping: dict[str, GraphQLField] = {}
    for doc_type in known.values():
        query[doc_type.name] = maker.rows(doc_type)
        aggregation[doc_type.name] = maker.aggregation(doc_type)
        mapping[doc_type.name] = _mapping(doc_type)
    if not query:
        return GraphQLSchema(GraphQLObjectType("Query", fields(_empty=GraphQLString)))
    query["_aggregation"] = GraphQLField(GraphQLObjectType("Aggregation", aggregation), resolve=_present)
    query["_mapping"] = GraphQLField(GraphQLObjectType("Mapping", mapping), resolve=_present)
    query.setdefault("sets", listing())
    return GraphQLSchema(GraphQLObjectType("Query", query), mutation=changes(known))


def _present(*_: Any) -> dict[str, Any]:
    return {}


class _Maker:
    """Makes the types of one schema, each under a name of its own."""

    def __init__(self) -> None:
        self._taken = {"Query", "Aggregation", "Mapping", "HistogramForString", "HistogramForNumber", "MatchedItem"}
        self._taken.update(SET_TYPES)
        self._taken |= {"String", "Float", "Int", "Boolean", "ID", "JSON", "Accessibility", "Format"}
        self._nests: dict[Nest, GraphQLObjectType] = {}
        self.text = GraphQLObjectType("HistogramForString", lambda: facet_fields(numeric=False))
        self.number = GraphQLObjectType("HistogramForNumber", lambda: facet_fields(numeric=True))

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
            resolve=lambda _, info, **arguments: Facets.parse(doc_type, info, arguments),
        )

    def _facets(self, nest: Nest, nests: tuple[str, ...]) -> dict[str, GraphQLField]:
        fields = {}
        for field in nest.fields:
            place = Place(nests, field)
            fields[field.name] = GraphQLField(self.number if field.numeric else self.text, resolve=narrow(place))
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
    filter = asking.filter(arguments.get("filter"), doc_type)
    names = {name for name in selected(info) if doc_type.field(name) or doc_type.nest(name)}
    found = list(searches(filter)) if "_matched" in selected(info) else []
    names |= {place.field.name for search in found for place in search.places if not place.nests}
    rights, others = asking.caller.row_rights(doc_type.name, arguments.get("accessibility") or "all")
    scope = Scope(doc_type, rights, filter)
    rows = Rows(scope, tuple(sorted(names)), sort_order(arguments.get("sort"), doc_type), first, offset)

    def shape(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [_matched(document, found) for document in documents]

    if others is None:
        return asking.ask(rows, shape)
    return _in_scope(asking, Count(replace(scope, rights=others)), rows, shape)


async def _in_scope(asking: Asking, others: Count, rows: Rows, shape: Callable[[Any], Any]) -> Any:
    """Rows of which the documents of others are too few to tell of."""
    if await asking.ask(others) != MASKED:
        raise AuthenticationRequired(OUT_OF_SCOPE)
    return await asking.ask(rows, shape)


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
    order: dict[Place, Order] = {}
    for part in parts:
        if not isinstance(part, dict):
            raise BadRequest('Invalid sort argument: give objects like {"field": "asc"}.')
        for path, method in part.items():
            place = doc_type.find(path)
            if place is None or method not in ("asc", "desc"):
                wrong = f"field {path!r}" if place is None else f"method {method!r}"
                raise BadRequest(f"Invalid sort argument: {doc_type.name} cannot be sorted by {wrong}.")
            order.setdefault(place, Order(place, method == "desc"))
    return tuple(order.values())


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


def _mapping(doc_type: DocType) -> GraphQLField:
    names = [place.path for place in doc_type.places()]

    def resolve(_: Any, info: GraphQLResolveInfo, **arguments: Any) -> list[str]:
        pattern = arguments.get("searchInput")
        return info.context.matching(names, pattern) if pattern else names

    return GraphQLField(
        GraphQLList(GraphQLString), args={"searchInput": GraphQLArgument(GraphQLString)}, resolve=resolve
    )
