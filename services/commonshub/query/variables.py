"""The values of a query's variables, coerced to the types that it declares.

graphql-core takes a hundred thousand texts one by one, and a quarter of a second. All items of a list that are of one
kind stand or fall together, as texts, numbers and truth values do (no list of the schema is of ``Int`` or ``ID``); so a
long list goes through it as its first item alone, and gets the others back behind it.
"""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError, GraphQLSchema, VariableDefinitionNode
from graphql.execution.values import get_variable_values

from commonshub.core.errors import TooLarge

LONG = 100
"""Longest list that goes through graphql-core as a whole."""

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
    long: dict[Place, list[Any]] = {}
    short = {name: _cut(value, (name,), long) for name, value in given.items()}
    found = get_variable_values(schema, definitions, short, max_errors=max_errors)
    if isinstance(found, dict):
        for place, values in long.items():
            _put(found, place, values)
    return found


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


def _cut(value: Any, place: Place, long: dict[Place, list[Any]]) -> Any:
    """`value` with its long lists of one kind cut to their first items, and these lists by their places."""
    if isinstance(value, dict):
        return {key: _cut(each, (*place, key), long) for key, each in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) > LONG and _of_one_kind(value):
        long[place] = value
        return value[:1]
    return [_cut(each, (*place, number), long) for number, each in enumerate(value)]


def _put(found: Any, place: Place, values: list[Any]) -> None:
    """Give a list back what it has been cut of, unless it is of a variable that the query does not declare."""
    for key in place:
        if isinstance(key, str) and isinstance(found, list):
            # A single object is a list of one.
            [found] = found
        if isinstance(found, dict) and key not in found:
            return
        found = found[key]
    found += values[1:]
