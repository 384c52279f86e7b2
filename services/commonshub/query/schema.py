"""The GraphQL schema of a dictionary, with Peregrine's names.

It is built of graphql-core's types directly: a class per node type, as graphene wants it, costs several times the
memory and the time, because arguments can then not be shared between the fields that take the same ones.
"""

from collections.abc import Iterable

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    validate_schema,
)

from commonshub.core.dictionary import Dictionary, NodeType, Property
from commonshub.core.errors import ValidationFailed

from .aggregates import AggregateFields
from .fields import (
    INTERFACE_FIELDS,
    AnyNeighbours,
    Count,
    Cursor,
    Entry,
    Listing,
    Meaning,
    Neighbours,
    NodeTypes,
    Value,
    Viewer,
    means,
)
from .inputs import SCALARS, STRINGS, Arguments, Inputs
from .pages import DEFAULT_FIRST
from .transactions import TransactionFields

TOLD_VALUES = 20
"""Values of a property that its description names; some have thousands."""

Fields = dict[str, GraphQLField]


def build(dictionary: Dictionary) -> GraphQLSchema:
    """The schema of `dictionary`.

    Raises
    ------
    ValidationFailed
        A name is none in GraphQL.
    """
    schema = _Builder(dictionary).schema()
    _refuse(error.message for error in validate_schema(schema))
    return schema


def _refuse(faults: Iterable[str]) -> None:
    told = [{"path": "(dictionary)", "message": each} for each in faults]
    if told:
        names = " ".join(each["message"] for each in told)
        raise ValidationFailed(f"The dictionary cannot be queried: {names} Rename what it names.", told)


def field(
    type_: GraphQLOutputType, what: Meaning, args: Arguments | None = None, description: str = ""
) -> GraphQLField:
    """A field that stands for `what`."""
    return GraphQLField(type_, args=args, description=description or None, extensions=means(what))


class _Builder:
    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.inputs = Inputs(dictionary)
        self.transactions = TransactionFields()
        self.aggregates = AggregateFields()
        self.interface = GraphQLInterfaceType(
            "Node", _interface_fields, description="What all records have in common.", resolve_type=lambda *_: None
        )
        self.types = {node.id: self._node_type(node) for node in dictionary.nodes.values()}
        self.files = tuple(node.id for node in dictionary.nodes.values() if node.is_file)

    def schema(self) -> GraphQLSchema:
        root: GraphQLObjectType = GraphQLObjectType("Root", lambda: self._root_fields(root))
        return GraphQLSchema(root, types=[self.interface, *self.types.values()])

    # -- node types ------------------------------------------------------------

    def _node_type(self, node: NodeType) -> GraphQLObjectType:
        return GraphQLObjectType(
            node.id,
            lambda: self._node_fields(node),
            interfaces=[self.interface],
            description=node.description or None,
        )

    def _node_fields(self, node: NodeType) -> Fields:
        fields = _interface_fields()
        for name, each in sorted(node.properties.items()):
            fields.setdefault(name, _property_field(each))
        for link in node.links:
            if link.target in self.types:
                self._add_neighbours(fields, link.name, Neighbours(link, up=True))
        for link in self.dictionary.backlinks(node.id):
            self._add_neighbours(fields, link.backref, Neighbours(link, up=False))
        args = self.inputs.of_any(())
        fields["_links"] = field(GraphQLList(self.interface), AnyNeighbours(node.id), args, "Its parents and children.")
        for name, logs in self.transactions.record().items():
            fields.setdefault(name, logs)
        return fields

    def _add_neighbours(self, fields: Fields, name: str, neighbours: Neighbours) -> None:
        args, told = self.inputs.of(neighbours.type), _tie(neighbours)
        fields.setdefault(name, field(GraphQLList(self.types[neighbours.type]), neighbours, args, told))
        fields.setdefault(f"_{name}_count", field(GraphQLInt, Count(neighbours), args, f"How many {name} it has."))

    # -- root ------------------------------------------------------------------

    def _root_fields(self, root: GraphQLObjectType) -> Fields:
        everything = tuple(self.types)
        fields: Fields = {}
        for name, type_ in self.types.items():
            listing, args, told = Listing((name,)), self.inputs.of(name), self.dictionary.nodes[name].description
            fields[name] = field(GraphQLList(type_), listing, args, told or f"Records of type {name}.")
            fields[f"_{name}_count"] = field(GraphQLInt, Count(listing), args, f"How many records of type {name}.")
            fields[f"_{name}_aggregate"] = self.aggregates.root(
                self.dictionary.nodes[name], self.inputs.properties(name), args
            )
        told = "Records of all types."
        fields["node"] = field(GraphQLList(self.interface), Listing(everything), self.inputs.of_any(()), told)
        listing, args = Listing(self.files, separate_pages=True), self.inputs.of_any(self.files)
        told = "Files of all types; first and offset count for each type by itself."
        fields["datanode"] = field(GraphQLList(self._data_node()), listing, args, told)
        fields["viewer"] = field(root, Viewer(), description="The same fields once more.")
        fields["_node_type"] = self._node_type_field()
        return fields | self.transactions.root()

    def _data_node(self) -> GraphQLObjectType:
        fields = _interface_fields()
        for name in self.files:
            for each in self.dictionary.nodes[name].properties.values():
                fields.setdefault(each.name, _property_field(each))
        return GraphQLObjectType("DataNode", fields, description="A file, whatever its node type.")

    def _node_type_field(self) -> GraphQLField:
        keys = sorted({key for node in self.dictionary.nodes.values() for key in node.schema if _is_name(key)})
        entries = {name: field(GraphQLString, Entry(name)) for name in keys}
        equal = GraphQLArgument(GraphQLString, description="Node types whose schema has this text there.")
        order = GraphQLArgument(GraphQLString, description="A key of the schema.")
        first = GraphQLArgument(GraphQLInt, default_value=DEFAULT_FIRST, description="So many at most; 0 for all.")
        args = {**dict.fromkeys(keys, equal), "first": first, "order_by_asc": order, "order_by_desc": order}
        told = "The node types of the dictionary."
        return field(GraphQLList(GraphQLObjectType("NodeType", entries)), NodeTypes(), args, told)


def _is_name(key: str) -> bool:
    return key.isidentifier() and key.isascii() and not key.startswith("__")


def _interface_fields() -> Fields:
    fields = {name: field(GraphQLID if name == "id" else GraphQLString, Value(name)) for name in INTERFACE_FIELDS}
    cursor = field(GraphQLString, Cursor(), description="For after: where this record stands in the list it is in.")
    return {**fields, "_cursor": cursor}


def _tie(neighbours: Neighbours) -> str:
    """What ties a record to its neighbours, as the dictionary has it."""
    link = neighbours.link
    of = f"Parents of type {link.target}" if neighbours.up else f"Children of type {link.source}"
    needed = ", required" if neighbours.up and link.required else ""
    return f"{of}: {link.label.replace('_', ' ')}, {link.multiplicity.replace('_', ' ')}{needed}."


def _property_field(each: Property) -> GraphQLField:
    type_: GraphQLOutputType = STRINGS if each.kind == "array" else SCALARS[each.kind]
    return field(type_, Value(each.name), description=_meaning(each))


def _meaning(each: Property) -> str:
    """What the dictionary says of a property; its values too, since none of Gen3's types is an enum."""
    if not each.enum:
        return each.description
    more = f", and {len(each.enum) - TOLD_VALUES} more" if len(each.enum) > TOLD_VALUES else ""
    return f"{each.description}\n\nOne of: {', '.join(each.enum[:TOLD_VALUES])}{more}.".strip()
