"""The GraphQL schema of a dictionary, with Peregrine's names.

It is built of graphql-core's types directly: a class per node type, as graphene wants it, costs several times the
memory and the time, because arguments can then not be shared between the fields that take the same ones.
"""

from collections.abc import Iterable, Mapping

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    validate_schema,
)

from commonshub.core.dictionary import Dictionary, NodeType, Property
from commonshub.core.errors import ValidationFailed

from .fields import AnyNeighbours, Count, Entry, Listing, Meaning, Neighbours, NodeTypes, Value, Viewer, means
from .transactions import TransactionFields

DEFAULT_FIRST = 10
"""Records that a list gives when ``first`` is not sent (Peregrine's default)."""

INTERFACE_FIELDS = ("id", "submitter_id", "type", "project_id", "created_datetime", "updated_datetime")

_STRINGS = GraphQLList(GraphQLString)
_SCALARS: Mapping[str, GraphQLScalarType] = {
    "string": GraphQLString,
    "integer": GraphQLFloat,
    "number": GraphQLFloat,
    "boolean": GraphQLBoolean,
}
_LIST_ARGUMENTS: Mapping[str, GraphQLArgument] = {
    kind: GraphQLArgument(GraphQLList(scalar)) for kind, scalar in _SCALARS.items()
} | {"array": GraphQLArgument(_STRINGS)}

Arguments = dict[str, GraphQLArgument]
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
        self.paths = self._path_input()
        self.transactions = TransactionFields()
        self.base = self._base_arguments()
        self.arguments = {node.id: self._node_arguments(node) for node in dictionary.nodes.values()}
        self.interface = GraphQLInterfaceType(
            "Node", _interface_fields, description="What all records have in common.", resolve_type=lambda *_: None
        )
        self.types = {node.id: self._node_type(node) for node in dictionary.nodes.values()}
        self.files = tuple(node.id for node in dictionary.nodes.values() if node.is_file)

    def schema(self) -> GraphQLSchema:
        root: GraphQLObjectType = GraphQLObjectType("Root", lambda: self._root_fields(root))
        return GraphQLSchema(root, types=[self.interface, *self.types.values()])

    # -- arguments -------------------------------------------------------------

    def _path_input(self) -> GraphQLInputObjectType:
        """The input that names the far end of a path: any property of any node type, as one scalar each."""
        kinds: dict[str, Property] = {}
        for node in self.dictionary.nodes.values():
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

    def _base_arguments(self) -> Arguments:
        text, texts = GraphQLArgument(GraphQLString), GraphQLArgument(_STRINGS)
        paths = GraphQLArgument(GraphQLList(self.paths))
        return {
            "id": text,
            "ids": texts,
            "submitter_id": texts,
            "quick_search": text,
            "first": GraphQLArgument(GraphQLInt, default_value=DEFAULT_FIRST),
            "offset": GraphQLArgument(GraphQLInt),
            **dict.fromkeys(("created_after", "created_before", "updated_after", "updated_before"), text),
            **dict.fromkeys(("order_by_asc", "order_by_desc"), text),
            **dict.fromkeys(("with_links", "with_links_any", "without_links"), texts),
            **dict.fromkeys(("with_path_to", "with_path_to_any", "without_path_to"), paths),
        }

    def _node_arguments(self, node: NodeType) -> Arguments:
        own = {each.name: _LIST_ARGUMENTS[each.kind] for each in _filterable(node)}
        excluded = _not_input(f"NotPropertiesInput_{node.id}", _filterable(node))
        own |= {"project_id": _LIST_ARGUMENTS["string"], "not": GraphQLArgument(GraphQLList(excluded))}
        return {**own, **self.base}

    def _any_arguments(self, types: Iterable[str]) -> Arguments:
        """Arguments of a list over several node types: what they share, and which of them to take."""
        shared: Arguments = {}
        for name in types:
            shared |= {each.name: _LIST_ARGUMENTS[each.kind] for each in _filterable(self.dictionary.nodes[name])}
        texts = _LIST_ARGUMENTS["string"]
        return {**shared, **self.base, "of_type": texts, "project_id": texts, "category": texts}

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
        args = self._any_arguments(())
        fields["_links"] = field(GraphQLList(self.interface), AnyNeighbours(node.id), args)
        for name, logs in self.transactions.record().items():
            fields.setdefault(name, logs)
        return fields

    def _add_neighbours(self, fields: Fields, name: str, neighbours: Neighbours) -> None:
        args = self.arguments[neighbours.type]
        fields.setdefault(name, field(GraphQLList(self.types[neighbours.type]), neighbours, args))
        fields.setdefault(f"_{name}_count", field(GraphQLInt, Count(neighbours), args))

    # -- root ------------------------------------------------------------------

    def _root_fields(self, root: GraphQLObjectType) -> Fields:
        everything = tuple(self.types)
        fields: Fields = {}
        for name, type_ in self.types.items():
            fields[name] = field(GraphQLList(type_), Listing((name,)), self.arguments[name])
            fields[f"_{name}_count"] = field(GraphQLInt, Count(Listing((name,))), self.arguments[name])
        fields["node"] = field(GraphQLList(self.interface), Listing(everything), self._any_arguments(()))
        fields["datanode"] = field(
            GraphQLList(self._data_node()), Listing(self.files, separate_pages=True), self._any_arguments(self.files)
        )
        fields["viewer"] = field(root, Viewer())
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
        text = GraphQLArgument(GraphQLString)
        args = {
            **dict.fromkeys(keys, text),
            "first": GraphQLArgument(GraphQLInt, default_value=DEFAULT_FIRST),
            **dict.fromkeys(("order_by_asc", "order_by_desc"), text),
        }
        return field(GraphQLList(GraphQLObjectType("NodeType", entries)), NodeTypes(), args)


def _is_name(key: str) -> bool:
    return key.isidentifier() and key.isascii() and not key.startswith("__")


def _interface_fields() -> Fields:
    return {name: field(GraphQLID if name == "id" else GraphQLString, Value(name)) for name in INTERFACE_FIELDS}


def _property_field(each: Property) -> GraphQLField:
    type_: GraphQLOutputType = _STRINGS if each.kind == "array" else _SCALARS[each.kind]
    return field(type_, Value(each.name), description=each.description)


def _filterable(node: NodeType) -> list[Property]:
    return [each for each in node.properties.values() if each.name not in ("id", "type")]


def _scalar(each: Property) -> GraphQLInputType:
    return _STRINGS if each.kind == "array" else _SCALARS[each.kind]


def _not_input(name: str, properties: Iterable[Property]) -> GraphQLInputObjectType:
    inputs = {each.name: GraphQLInputField(_scalar(each)) for each in properties}
    return GraphQLInputObjectType(name, inputs or {"submitter_id": GraphQLInputField(GraphQLString)})
