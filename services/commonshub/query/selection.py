"""The selected fields of an operation as a tree that the planner can walk.

Fragments, inline fragments, aliases, directives and variables are gone from it: each entry has its key in the answer,
its meaning, its arguments with their defaults, and what is selected below it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    print_ast,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.values import get_argument_values

from commonshub.core.errors import TooLarge

from .document import Invalid, Limits, Operation, invalid, too_many_fields
from .fields import Meaning, meaning

INTROSPECTION = frozenset(["__schema", "__type"])


@dataclass(frozen=True, slots=True)
class Selected:
    """One field of the answer.

    Parameters
    ----------
    key
        Its name there: the alias, or the field's own name.
    meaning
        What it stands for; None for ``__typename``, ``__schema`` and ``__type``.
    type
        Name of the type that it is selected on.
    nodes
        Where it stands in the query.
    children
        What is selected below it, by the name of the object type found there; by that of the interface where all
        types are asked for the same.
    """

    key: str
    name: str
    meaning: Meaning | None
    type: str
    args: Mapping[str, Any]
    nodes: tuple[FieldNode, ...]
    children: Mapping[str, tuple["Selected", ...]] = field(default_factory=dict)

    @property
    def fields(self) -> tuple["Selected", ...]:
        """What is selected below a field that has only one type of object."""
        return next(iter(self.children.values()), ())


def select(schema: GraphQLSchema, operation: Operation, limits: Limits) -> tuple[Selected, ...]:
    """The root fields of `operation`.

    Raises
    ------
    Invalid
        Fields of the same name that differ would have to be merged.
    TooLarge
        There are more fields, or they are nested deeper, than the limits allow.
    """
    return _Collector(schema, operation, limits).root()


class _Collector:
    def __init__(self, schema: GraphQLSchema, operation: Operation, limits: Limits) -> None:
        self.schema = schema
        self.fragments = dict(operation.fragments)
        self.variables = dict(operation.variables)
        self.definition = operation.definition
        self.limits = limits
        self.count = 0

    def root(self) -> tuple[Selected, ...]:
        type_ = self.schema.query_type
        assert type_ is not None
        found = collect_fields(self.schema, self.fragments, self.variables, type_, self.definition.selection_set)
        return self._selected(type_, found, 1)

    def _selected(
        self, type_: GraphQLObjectType | GraphQLInterfaceType, found: Mapping[str, list[FieldNode]], depth: int
    ) -> tuple[Selected, ...]:
        if depth > self.limits.max_depth:
            raise TooLarge(f"Fields are nested more than {self.limits.max_depth} deep; ask for fewer levels at once.")
        self.count += len(found)
        if self.count > self.limits.max_fields:
            raise too_many_fields(self.limits)
        return tuple(self._one(type_, key, nodes, depth) for key, nodes in found.items())

    def _one(
        self, type_: GraphQLObjectType | GraphQLInterfaceType, key: str, nodes: list[FieldNode], depth: int
    ) -> Selected:
        node = nodes[0]
        _refuse_conflict(key, nodes)
        definition = type_.fields.get(node.name.value)
        if definition is None:
            return Selected(key, node.name.value, None, type_.name, {}, tuple(nodes))
        try:
            args = get_argument_values(definition, node, self.variables)
        except GraphQLError as error:
            raise invalid([error]) from error
        below = get_named_type(definition.type)
        children: dict[str, tuple[Selected, ...]] = {}
        if isinstance(below, GraphQLObjectType):
            children[below.name] = self._below(below, nodes, depth)
        elif isinstance(below, GraphQLInterfaceType):
            for each in self._possible(below, nodes):
                children[each.name] = self._below(each, nodes, depth)
        return Selected(key, node.name.value, meaning(definition), type_.name, args, tuple(nodes), children)

    def _possible(
        self, interface: GraphQLInterfaceType, nodes: list[FieldNode]
    ) -> Sequence[GraphQLObjectType | GraphQLInterfaceType]:
        """The types to collect for: only fragments can select different fields of different types."""
        selections = [each for node in nodes if node.selection_set for each in node.selection_set.selections]
        if all(isinstance(each, FieldNode) for each in selections):
            return [interface]
        return self.schema.get_possible_types(interface)

    def _below(
        self, type_: GraphQLObjectType | GraphQLInterfaceType, nodes: list[FieldNode], depth: int
    ) -> tuple[Selected, ...]:
        found = collect_sub_fields(self.schema, self.fragments, self.variables, cast(GraphQLObjectType, type_), nodes)
        return self._selected(type_, found, depth + 1)


def _refuse_conflict(key: str, nodes: list[FieldNode]) -> None:
    if len(nodes) == 1:
        return
    first, *others = ((node.name.value, sorted(print_ast(each) for each in node.arguments or ())) for node in nodes)
    if any(other != first for other in others):
        raise Invalid([f'Fields "{key}" conflict because they are different fields or have different arguments.'])
