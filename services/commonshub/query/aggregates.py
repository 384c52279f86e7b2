"""Aggregations in the GraphQL schema: types and fields, with the names that the explorer's queries have."""

from collections.abc import Mapping

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLFloat,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
)

from commonshub.core.dictionary import NodeType, Property

from .fields import Aggregate, Bucket, Figure, Histogram, Meaning, Statistics, Summary, means
from .inputs import STRINGS, Arguments

_FIRST = {"first": GraphQLArgument(GraphQLInt, description="most buckets")}
_RANGES = {
    **_FIRST,
    "width": GraphQLArgument(GraphQLFloat, description="ranges of this width, from its multiples on"),
    "buckets": GraphQLArgument(GraphQLInt, description="so many ranges of the same width, from least to most (10)"),
}
_FIGURES = ("min", "max", "avg", "sum")


def _field(type_: GraphQLOutputType, what: Meaning, args: Arguments | None = None, told: str = "") -> GraphQLField:
    return GraphQLField(type_, args=args, description=told or None, extensions=means(what))


def _list(type_: GraphQLObjectType, of: Histogram, args: Arguments, told: str = "") -> GraphQLField:
    return _field(GraphQLList(type_), of, args, told)


def _bucket(name: str, key: GraphQLOutputType, figures: tuple[str, ...] = ()) -> GraphQLObjectType:
    fields = {"key": _field(key, Bucket()), "count": _field(GraphQLInt, Figure("total"))}
    return GraphQLObjectType(name, fields | {each: _FIGURE_FIELDS[each] for each in figures})


_FIGURE_FIELDS: Mapping[str, GraphQLField] = {
    "min": _field(GraphQLFloat, Figure("min")),
    "max": _field(GraphQLFloat, Figure("max")),
    "avg": _field(GraphQLFloat, Figure("avg")),
    "sum": _field(GraphQLFloat, Figure("sum")),
}


class AggregateFields:
    """The fields that lead to aggregations, one for each node type."""

    def __init__(self) -> None:
        values = _bucket("TextBucket", GraphQLString)
        ranges = _bucket("NumberBucket", GraphQLList(GraphQLFloat), _FIGURES)
        self._groups = _bucket("GroupBucket", STRINGS)
        common = {
            "_totalCount": _field(GraphQLInt, Figure("values"), told="records with a value"),
            "_missing": _field(GraphQLInt, Figure("missing"), told="records without one"),
            "_cardinalityCount": _field(GraphQLInt, Figure("distinct"), told="different values"),
        }
        most = "values with their records, the most frequent first"
        self._text = GraphQLObjectType(
            "TextSummary", {**common, "histogram": _list(values, Histogram("values"), _FIRST, most)}
        )
        stats = {**_FIGURE_FIELDS, "count": _field(GraphQLInt, Figure("values"))}
        self._number = GraphQLObjectType(
            "NumberSummary",
            {
                **common,
                "stats": _field(GraphQLObjectType("NumberStats", stats), Statistics()),
                "histogram": _list(ranges, Histogram("ranges"), _RANGES, "ranges from the lowest on, empty ones too"),
                "asTextHistogram": _list(values, Histogram("values"), _FIRST, most),
            },
        )

    def root(self, node: NodeType, properties: list[Property], args: Arguments) -> GraphQLField:
        """``_<type>_aggregate``, of `properties` of a node type."""
        by = GraphQLArgument(
            GraphQLNonNull(GraphQLList(GraphQLNonNull(GraphQLString))), description="one to three properties"
        )
        fields = {
            "_totalCount": _field(GraphQLInt, Figure("total"), told="records"),
            "_groups": _list(
                self._groups, Histogram("groups"), {"by": by, **_FIRST}, "records by the values of several properties"
            ),
        }
        for each in properties:
            type_ = self._number if each.kind in ("integer", "number") else self._text
            fields.setdefault(each.name, _field(type_, Summary(each.name), told=each.description))
        told = f"Figures of records of type {node.id}."
        return _field(GraphQLObjectType(f"Aggregate_{node.id}", fields), Aggregate(node.id), args, told)
