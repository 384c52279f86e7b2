"""The values of a query's variables, coerced to the types that it declares.

graphql-core asks each object for each field that its type has, some of which have hundreds, and takes a hundred
thousand texts one by one. Here an object is asked for what it has, and all items of a list that are of one kind stand
or fall together, as texts, numbers and truth values do (no list of the schema is of ``Int`` or ``ID``): its first item
speaks for a long one. Values and faults are else those of graphql-core, in its words.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    Undefined,
    VariableDefinitionNode,
    is_required_input_field,
    type_from_ast,
    value_from_ast,
)
from graphql.pyutils import inspect, print_path_list

from commonshub.core.errors import TooLarge

from .rules import Hints

LONG = 100
"""Longest list whose items are all looked at, where they are of one kind."""

_MANY = "Too many errors processing variables, error limit reached. Execution aborted."

Place = tuple[str | int, ...]

_KINDS = (frozenset([str]), frozenset([int]), frozenset([float]), frozenset([int, float]), frozenset([bool]))


def coerced(
    schema: GraphQLSchema,
    definitions: tuple[VariableDefinitionNode, ...],
    given: Mapping[str, Any],
    *,
    max_depth: int,
    max_parts: int,
    max_errors: int,
) -> dict[str, Any] | list[GraphQLError]:
    """The values of the variables `definitions`, or what is wrong with those that are given.

    Parameters
    ----------
    max_depth
        Deepest nesting of lists and objects.
    max_parts
        Most objects, and values of lists that hold several kinds of them.

    Raises
    ------
    TooLarge
        They are nested deeper, or are more.
    """
    names = {each.variable.name.value for each in definitions}
    given = {name: value for name, value in given.items() if name in names}
    _measure(given, max_depth, max_parts)
    faults = _Faults(max_errors)
    found: dict[str, Any] = {}
    try:
        for each in definitions:
            name = each.variable.name.value
            value = _Variable(schema, each, faults).value(given.get(name, Undefined))
            if value is not Undefined:
                found[name] = value
    except _TooMany:
        faults.told.append(GraphQLError(_MANY))
    return faults.told or found


def _measure(given: Mapping[str, Any], max_depth: int, max_parts: int) -> None:
    waiting, parts = [(each, 1) for each in given.values() if isinstance(each, dict | list)], 0
    while waiting:
        value, depth = waiting.pop()
        if depth > max_depth:
            raise TooLarge(f"The variables are nested more than {max_depth} deep.")
        if isinstance(value, list) and _of_one_kind(value):
            continue
        below = value.values() if isinstance(value, dict) else value
        inner = [(each, depth + 1) for each in below if isinstance(each, dict | list)]
        parts += 1 if isinstance(value, dict) else len(below) - len(inner)
        if parts > max_parts:
            raise TooLarge(
                f"The variables hold more than {max_parts} objects, or values in lists of several kinds of them; "
                "ask in several queries, or let each list hold values of one kind and no null."
            )
        waiting += inner


def _of_one_kind(values: list[Any]) -> bool:
    return frozenset(map(type, values)) in _KINDS


class _TooMany(Exception):
    """There are more faults than are told."""


class _Faults:
    """What is wrong with the variables of a query."""

    def __init__(self, most: int) -> None:
        self.told: list[GraphQLError] = []
        self.hints = Hints()
        self._most = most

    def tell(self, text: str, node: VariableDefinitionNode) -> None:
        if len(self.told) >= self._most:
            raise _TooMany
        self.told.append(GraphQLError(text, node))


class _Fields(NamedTuple):
    """The fields of an input type by their places in it, and those that an object has even if it does not say so."""

    places: Mapping[str, int]
    set: tuple[str, ...]


class _Variable:
    """One variable. A value that is none of its type is told, and is :data:`graphql.Undefined`."""

    def __init__(self, schema: GraphQLSchema, definition: VariableDefinitionNode, faults: _Faults) -> None:
        self.definition = definition
        self.name = definition.variable.name.value
        self.type: Any = type_from_ast(schema, definition.type)
        self.faults = faults
        self._fields: dict[str, _Fields] = {}
        self._shown: tuple[Any, str] = (Undefined, "")

    def value(self, given: Any) -> Any:
        if given is Undefined and self.definition.default_value:
            return value_from_ast(self.definition.default_value, self.type)
        if given is Undefined or given is None:
            if isinstance(self.type, GraphQLNonNull):
                kind, lack = (
                    ("required", "was not provided") if given is Undefined else ("non-null", "must not be null")
                )
                self.faults.tell(f"Variable '${self.name}' of {kind} type '{self.type}' {lack}.", self.definition)
            return given
        return self._value(given, self.type, ())

    def _tell(self, value: Any, place: Place, text: str) -> None:
        if self._shown[0] is not value:
            # A large object can have many faults.
            self._shown = value, inspect(value)
        at = f" at '{self.name}{print_path_list(list(place))}'" if place else ""
        self.faults.tell(f"Variable '${self.name}' got invalid value {self._shown[1]}{at}; {text}", self.definition)

    def _value(self, value: Any, type_: Any, place: Place) -> Any:
        if isinstance(type_, GraphQLNonNull):
            if value is None:
                self._tell(value, place, f"Expected non-nullable type '{type_}' not to be None.")
                return Undefined
            return self._value(value, type_.of_type, place)
        if value is None:
            return None
        if isinstance(type_, GraphQLList):
            return self._list(value, type_.of_type, place)
        if isinstance(type_, GraphQLInputObjectType):
            return self._object(value, type_, place)
        try:
            return type_.parse_value(value)
        except GraphQLError as error:
            self._tell(value, place, error.message)
            return Undefined

    def _list(self, value: Any, item: Any, place: Place) -> list[Any]:
        if not isinstance(value, list):
            # A single value is a list of one.
            return [self._value(value, item, place)]
        if len(value) > LONG and _of_one_kind(value):
            return [self._value(value[0], item, (*place, 0)), *value[1:]]
        return [self._value(each, item, (*place, number)) for number, each in enumerate(value)]

    def _object(self, value: Any, type_: GraphQLInputObjectType, place: Place) -> Any:
        if not isinstance(value, dict):
            self._tell(value, place, f"Expected type '{type_.name}' to be a mapping.")
            return Undefined
        found, fields = {}, self._of(type_)
        for name in sorted({*fields.set, *(fields.places.keys() & value.keys())}, key=fields.places.__getitem__):
            field = type_.fields[name]
            if name in value:
                found[name] = self._value(value[name], field.type, (*place, name))
            elif field.default_value is not Undefined:
                found[name] = field.default_value
            else:
                self._tell(value, place, f"Field '{name}' of required type '{field.type}' was not provided.")
        for name in value:
            if name not in fields.places:
                hint = self.faults.hints.of(name, fields.places)
                self._tell(value, place, f"Field '{name}' is not defined by type '{type_.name}'.{hint}")
        return found

    def _of(self, type_: GraphQLInputObjectType) -> _Fields:
        if type_.name not in self._fields:
            places = {name: number for number, name in enumerate(type_.fields)}
            own = [
                name
                for name, each in type_.fields.items()
                if is_required_input_field(each) or each.default_value is not Undefined
            ]
            self._fields[type_.name] = _Fields(places, tuple(own))
        return self._fields[type_.name]
