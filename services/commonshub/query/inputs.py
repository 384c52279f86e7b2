"""Arguments of the GraphQL schema: what a listing, a count or an aggregation can be asked for.

An argument that many fields take is one object for all of them, since a dictionary has hundreds of such fields. What is
told of it is short, since introspection tells it at each of them.
"""

import re
from collections.abc import Iterable, Mapping

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLString,
)

from commonshub.core.dictionary import Dictionary, NodeType, Property

from .fields import INTERFACE_FIELDS
from .pages import DEFAULT_FIRST
from .values import TIMES

STRINGS = GraphQLList(GraphQLString)
SCALARS: Mapping[str, GraphQLScalarType] = {
    "string": GraphQLString,
    "integer": GraphQLFloat,
    "number": GraphQLFloat,
    "boolean": GraphQLBoolean,
}
MOST_BRIEF = 100
"""Characters of what an argument is told to be; it is told again at each field that takes it."""

_TOLD: Mapping[str, str] = {
    "id": "The record of this id.",
    "ids": "The records of these ids.",
    "submitter_id": "The records of these submitter ids.",
    "project_id": "The records of these projects, such as P-Q.",
    "quick_search": "Records whose id or submitter id contains this, in any case.",
    "first": "So many records at most; 0 for all.",
    "offset": "Leave out so many at the beginning.",
    "after": "_cursor of the record that the page comes behind.",
    "created_after": "Created after this moment.",
    "created_before": "Created before this moment.",
    "updated_after": "Updated after this moment.",
    "updated_before": "Updated before this moment.",
    "order_by_asc": "A property, id or type: least first.",
    "order_by_desc": "A property, id or type: greatest first.",
    "with_links": "Records that have all of these links.",
    "with_links_any": "Records that have any of these links.",
    "without_links": "Records that have none of these links.",
    "with_path_to": "Records from which links lead, all up or all down, to such records, to each of them.",
    "with_path_to_any": "… to any of them.",
    "without_path_to": "… to none of them.",
    "not": "Leaves out records that match all of an entry.",
    "filter": "Comparisons of properties, joined by and, or and not.",
    "of_type": "Records of these node types.",
    "category": "Records of node types of these categories.",
}

Arguments = dict[str, GraphQLArgument]

_FIND_TEXT = {"contains": "contains, in any case", "prefix": "begins with, in any case"}
_EQUAL = {"eq": "equals", "ne": "does not equal; also where there is no value"}
_AMONG = {"in": "is one of; null: has no value", "nin": "is none of"}
_RANGE = {"lt": "less than", "lte": "at most", "gt": "more than", "gte": "at least"}


class Inputs:
    """The arguments of one dictionary's schema."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._operators = _operators()
        self._filter = self._filter_input("NodeFilter", [_shared(name) for name in INTERFACE_FIELDS if name != "type"])
        self._base = self._base_arguments()
        self._nodes = {node.id: self._node_arguments(node) for node in dictionary.nodes.values()}

    def of(self, type_: str) -> Arguments:
        """Arguments of a list of records of one node type."""
        return self._nodes[type_]

    def properties(self, type_: str) -> list[Property]:
        """What records of a node type can be filtered and counted by, but for their id."""
        node = self._dictionary.nodes[type_]
        return [*_filterable(node), *([_shared("project_id")] if type_ == "project" else [])]

    def of_any(self, types: Iterable[str]) -> Arguments:
        """Arguments of a list over several node types: what they share, and which of them to take."""
        nodes = [self._dictionary.nodes[name] for name in types]
        properties = {each.name: each for node in nodes for each in _filterable(node)}
        shared = {name: _property_argument(each) for name, each in properties.items()}
        filter_ = self._filter_input("DataNodeFilter", properties.values()) if nodes else self._filter
        own = {key: _argument(key, STRINGS) for key in ("of_type", "project_id", "category")}
        return {**shared, **self._base, **own, "filter": _argument("filter", filter_)}

    def _base_arguments(self) -> Arguments:
        types: dict[str, GraphQLInputType] = {
            "id": GraphQLString,
            "ids": STRINGS,
            "submitter_id": STRINGS,
            "quick_search": GraphQLString,
            "first": GraphQLInt,
            "offset": GraphQLInt,
            "after": GraphQLString,
            **dict.fromkeys(("created_after", "created_before", "updated_after", "updated_before"), GraphQLString),
            **dict.fromkeys(("order_by_asc", "order_by_desc"), GraphQLString),
            **dict.fromkeys(("with_links", "with_links_any", "without_links"), STRINGS),
            **dict.fromkeys(("with_path_to", "with_path_to_any", "without_path_to"), GraphQLList(self._path_input())),
        }
        arguments = {key: _argument(key, type_) for key, type_ in types.items()}
        arguments["first"].default_value = DEFAULT_FIRST
        return arguments

    def _node_arguments(self, node: NodeType) -> Arguments:
        own = {each.name: _property_argument(each) for each in _filterable(node)}
        excluded = _not_input(f"NotPropertiesInput_{node.id}", _filterable(node))
        own |= {"project_id": _argument("project_id", STRINGS), "not": _argument("not", GraphQLList(excluded))}
        filter_ = _argument("filter", self._filter_input(f"Filter_{node.id}", self.properties(node.id)))
        return {**own, **self._base, "filter": filter_}

    def _filter_input(self, name: str, properties: Iterable[Property]) -> GraphQLInputObjectType:
        """What ``filter`` takes: an object of operators for each property, and what joins such objects."""

        def fields() -> dict[str, GraphQLInputField]:
            several = GraphQLInputField(GraphQLList(GraphQLNonNull(made)))
            inputs = {"and": several, "or": several, "not": GraphQLInputField(made)}
            inputs["id"] = GraphQLInputField(self._operators["string"])
            for each in properties:
                operators = self._operators["time" if each.name in TIMES else each.kind]
                inputs.setdefault(each.name, GraphQLInputField(operators, description=each.description or None))
            return inputs

        made: GraphQLInputObjectType = GraphQLInputObjectType(name, fields)
        return made

    def _path_input(self) -> GraphQLInputObjectType:
        """The input that names the far end of a path: any property of any node type, as one scalar each."""
        kinds: dict[str, Property] = {}
        for node in self._dictionary.nodes.values():
            for each in node.properties.values():
                known = kinds.get(each.name)
                if known is None or (each.kind == "string" and known.kind != "array"):
                    kinds[each.name] = each
        excluded = _not_input("NotPropertiesInput", kinds.values())
        inputs = {
            "id": GraphQLInputField(GraphQLString),
            "type": GraphQLInputField(GraphQLNonNull(GraphQLString)),
            "not": GraphQLInputField(GraphQLList(excluded)),
        }
        inputs = {**{name: GraphQLInputField(_scalar(each)) for name, each in sorted(kinds.items())}, **inputs}
        return GraphQLInputObjectType("WithPathToInput", inputs)


def _operators() -> dict[str, GraphQLInputObjectType]:
    """What a property can be compared with, by its kind."""

    def made(name: str, scalar: GraphQLScalarType, one: Mapping[str, str], many: Mapping[str, str]) -> None:
        inputs = {key: GraphQLInputField(scalar, description=told) for key, told in one.items()}
        inputs |= {key: GraphQLInputField(GraphQLList(scalar), description=told) for key, told in many.items()}
        inputs["exists"] = GraphQLInputField(GraphQLBoolean, description="has a value")
        found[name] = GraphQLInputObjectType(f"{name.title()}Filter", inputs)

    found: dict[str, GraphQLInputObjectType] = {}
    made("string", GraphQLString, {**_EQUAL, **_RANGE, **_FIND_TEXT}, _AMONG)
    made("number", GraphQLFloat, {**_EQUAL, **_RANGE}, _AMONG)
    made("boolean", GraphQLBoolean, _EQUAL, {})
    made("array", GraphQLString, {}, {"contains_all": "has all of them", "contains_any": "has one of them"})
    made("time", GraphQLString, _RANGE, {})
    return {**found, "integer": found["number"]}


def _argument(key: str, type_: GraphQLInputType) -> GraphQLArgument:
    return GraphQLArgument(type_, description=_TOLD[key])


def _property_argument(each: Property) -> GraphQLArgument:
    type_ = STRINGS if each.kind == "array" else GraphQLList(SCALARS[each.kind])
    return GraphQLArgument(type_, description=brief(each.description))


def brief(text: str) -> str | None:
    """The beginning of a description: its first sentence, where that is short."""
    sentence = re.split(r"(?<=\.)\s", text.strip(), maxsplit=1)[0]
    return (sentence if len(sentence) <= MOST_BRIEF else f"{sentence[: MOST_BRIEF - 1].rstrip()}…") or None


def _shared(name: str) -> Property:
    """What all records have, as if each type had a property of it."""
    return Property(name, "string", None, (), True, False, True, "")


def _filterable(node: NodeType) -> list[Property]:
    return [each for each in node.properties.values() if each.name not in ("id", "type")]


def _scalar(each: Property) -> GraphQLInputType:
    return STRINGS if each.kind == "array" else SCALARS[each.kind]


def _not_input(name: str, properties: Iterable[Property]) -> GraphQLInputObjectType:
    inputs = {each.name: GraphQLInputField(_scalar(each)) for each in properties}
    return GraphQLInputObjectType(name, inputs or {"submitter_id": GraphQLInputField(GraphQLString)})
