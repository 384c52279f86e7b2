"""Answers that need no database: introspection, and the node types of the dictionary as data."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    execute_sync,
)

from commonshub.core.dictionary import Dictionary, NodeType
from commonshub.core.errors import BadRequest

from .document import Operation, invalid
from .fields import Entry, NodeTypes
from .selection import Selected


def answer(schema: GraphQLSchema, dictionary: Dictionary, operation: Operation, selected: Selected) -> Any:
    """The value of a root field that the dictionary alone decides.

    Raises
    ------
    Invalid
        graphql-core refuses the introspection.
    BadRequest
        ``order_by_*`` names no key of the node types.
    """
    if isinstance(selected.meaning, NodeTypes):
        return _node_types(dictionary, selected)
    return _introspection(schema, operation, selected)


def _introspection(schema: GraphQLSchema, operation: Operation, selected: Selected) -> Any:
    definition = OperationDefinitionNode(
        operation=operation.definition.operation,
        name=None,
        variable_definitions=operation.definition.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=selected.nodes),
    )
    document = DocumentNode(definitions=(definition, *operation.fragments.values()))
    result = execute_sync(schema, document, variable_values=dict(operation.variables))
    if result.errors or result.data is None:
        raise invalid(result.errors or [])
    return result.data[selected.key]


def _node_types(dictionary: Dictionary, selected: Selected) -> list[dict[str, str | None]]:
    args = selected.args
    found = [node for node in dictionary.nodes.values() if _matches(node, args)]
    for argument, descending in (("order_by_asc", False), ("order_by_desc", True)):
        key = args.get(argument)
        if key is None:
            continue
        if not any(key in node.schema for node in dictionary.nodes.values()):
            raise BadRequest(f"Cannot order by {key} on _node_type")
        found.sort(key=lambda node: _entry(node, key) or "", reverse=descending)
    first = args.get("first") or 0
    return [_shown(node, selected) for node in (found[:first] if first > 0 else found)]


def _matches(node: NodeType, args: Mapping[str, Any]) -> bool:
    wanted = {key: value for key, value in args.items() if key not in ("first", "order_by_asc", "order_by_desc")}
    return all(value is None or _entry(node, key) == value for key, value in wanted.items())


def _shown(node: NodeType, selected: Selected) -> dict[str, str | None]:
    return {
        each.key: _entry(node, each.meaning.name) if isinstance(each.meaning, Entry) else each.type
        for each in selected.fields
    }


def _entry(node: NodeType, key: str) -> str | None:
    """A key of a node type's schema as text; what is not text in the dictionary is shown as Python writes it."""
    value = node.schema.get(key)
    return None if value is None else str(value)
