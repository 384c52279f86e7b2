"""The shape of a GraphQL document: how deep and how large it is, and whether its fields can be merged.

graphql-core compares fields of one name pair by pair, in time that grows with the square of their number; a request of
a few kilobytes can keep it busy for minutes. This looks at each field once. No type of the explorer's schema is an
interface or a union, so fields of one selection always have the same parent, and the rule is simple: one response name
stands for one field with one set of arguments.
"""

from collections.abc import Iterable, Mapping

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    print_ast,
    specified_rules,
)

MAX_DEPTH = 10
MAX_FIELDS = 5_000

RULES = [rule for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule]
"""The rules of the specification, but for the one that :func:`check_shape` replaces."""


def check_shape(document: DocumentNode) -> list[GraphQLError]:
    """What is wrong with the shape of a document that obeys all other rules; one error at most."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    try:
        shape = _Shape(fragments)
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                shape.check([node.selection_set], 1)
    except GraphQLError as error:
        return [error]
    return []


class _Shape:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self.fragments = fragments
        self.fields = 0

    def check(self, sets: Iterable[SelectionSetNode], depth: int) -> None:
        """Check the fields that some selection sets of the same object have together."""
        merged: dict[str, list[FieldNode]] = {}
        for node in self._fields(sets):
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise GraphQLError(f"The query has more than {MAX_FIELDS} fields.", node)
            merged.setdefault((node.alias or node.name).value, []).append(node)
        for name, nodes in merged.items():
            if len({_meaning(node) for node in nodes}) > 1:
                raise GraphQLError(f"{name!r} stands for different fields or arguments: use aliases.", nodes)
            if nodes[0].name.value.startswith("__"):
                continue
            below = [node.selection_set for node in nodes if node.selection_set]
            if below and depth >= MAX_DEPTH:
                raise GraphQLError(f"The query is deeper than {MAX_DEPTH} levels.", nodes[0])
            self.check(below, depth + 1)

    def _fields(self, sets: Iterable[SelectionSetNode]) -> Iterable[FieldNode]:
        """The fields of selection sets, each fragment taken once."""
        seen: set[str] = set()
        waiting = list(sets)
        while waiting:
            for node in waiting.pop().selections:
                if isinstance(node, FieldNode):
                    yield node
                elif isinstance(node, InlineFragmentNode):
                    waiting.append(node.selection_set)
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                    seen.add(node.name.value)
                    waiting.append(self.fragments[node.name.value].selection_set)


def _meaning(node: FieldNode) -> tuple[str, frozenset[tuple[str, str]]]:
    """A field's name and arguments, in a form that can be compared."""
    return node.name.value, frozenset((each.name.value, print_ast(each.value)) for each in node.arguments)
