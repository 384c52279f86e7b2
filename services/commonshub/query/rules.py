"""What makes a document valid, and Peregrine's words for what does not.

They are those of graphql-core 2, which Gen3's clients look for and their users know. Unlike the words of today they
tell all that is wrong with an argument at once, with the way to it: element by element, field by field.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any

from graphql import (
    ArgumentNode,
    ASTValidationRule,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    ListValueNode,
    Node,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    specified_rules,
)
from graphql.language import FieldNode
from graphql.pyutils import suggestion_list
from graphql.validation import (
    FieldsOnCorrectTypeRule,
    FragmentsOnCompositeTypesRule,
    KnownDirectivesRule,
    KnownFragmentNamesRule,
    NoFragmentCyclesRule,
    NoUndefinedVariablesRule,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    OverlappingFieldsCanBeMergedRule,
    PossibleFragmentSpreadsRule,
    UniqueDirectivesPerLocationRule,
    UniqueFragmentNamesRule,
    UniqueVariableNamesRule,
    ValuesOfCorrectTypeRule,
    VariablesAreInputTypesRule,
    VariablesInAllowedPositionRule,
)

MOST_TOLD = 20
"""Faults of one argument that are told."""

MOST_CHARS = 1_000
"""So much of a wrong value is shown."""

Fault = tuple[str, Node]


class FieldRule(FieldsOnCorrectTypeRule):
    """A field must exist."""

    def enter_field(self, node: FieldNode, *_args: Any) -> None:
        """Report a field that its type does not have."""
        parent = self.context.get_parent_type()
        if parent is None or self.context.get_field_def():
            return
        wanted = node.name.value
        known = list(parent.fields) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else []
        text = f'Cannot query field "{wanted}" on type "{parent.name}".{_hint(wanted, known)}'
        self.report_error(GraphQLError(text, node))


class ValueRule(ValuesOfCorrectTypeRule):
    """The value of an argument must be of its type; variables' defaults are looked at in the standard way."""

    def enter_argument(self, node: ArgumentNode, *_args: Any) -> Any:
        """Report all that is wrong with an argument, at the place of the first fault."""
        argument = self.context.get_argument()
        if argument is None:
            return None
        faults = list(islice(_faults(argument.type, node.value), MOST_TOLD))
        if faults:
            told = "\n".join(text for text, _ in faults)
            text = f'Argument "{node.name.value}" has invalid value {_written(node.value)}.\n{told}'
            self.report_error(GraphQLError(text, faults[0][1]))
        return self.SKIP


# Fields that cannot be merged are found when they are collected, in time that grows with their number and not with its
# square.
_OURS: Mapping[type[ASTValidationRule], type[ASTValidationRule]] = {
    FieldsOnCorrectTypeRule: FieldRule,
    ValuesOfCorrectTypeRule: ValueRule,
}
RULES: Collection[type[ASTValidationRule]] = tuple(
    _OURS.get(rule, rule) for rule in specified_rules if rule is not OverlappingFieldsCanBeMergedRule
)

_OF_FRAGMENTS = frozenset(
    {
        FragmentsOnCompositeTypesRule,
        KnownFragmentNamesRule,
        NoFragmentCyclesRule,
        NoUnusedFragmentsRule,
        PossibleFragmentSpreadsRule,
        UniqueFragmentNamesRule,
    }
)
_OF_VARIABLES = frozenset(
    {
        NoUndefinedVariablesRule,
        NoUnusedVariablesRule,
        UniqueVariableNamesRule,
        VariablesAreInputTypesRule,
        VariablesInAllowedPositionRule,
    }
)
_OF_DIRECTIVES = frozenset({KnownDirectivesRule, UniqueDirectivesPerLocationRule})


def rules(text: str) -> Collection[type[ASTValidationRule]]:
    """Those of :data:`RULES` that can find a fault in `text`: each takes its time at every word, faulty or not."""
    idle: frozenset[type[ASTValidationRule]] = frozenset()
    if "fragment" not in text and "..." not in text:
        idle |= _OF_FRAGMENTS
    if "$" not in text:
        idle |= _OF_VARIABLES
    if "@" not in text:
        idle |= _OF_DIRECTIVES
    return [rule for rule in RULES if rule not in idle]


def _faults(type_: GraphQLInputType, value: ValueNode) -> Iterator[Fault]:
    """What keeps a literal from being of a type; what a variable holds is not known yet."""
    if isinstance(value, VariableNode):
        return
    null = isinstance(value, NullValueNode)
    if isinstance(type_, GraphQLNonNull) and null:
        yield f'Expected "{type_}", found null.', value
    elif isinstance(type_, GraphQLNonNull):
        yield from _faults(type_.of_type, value)
    elif null:
        return
    elif isinstance(type_, GraphQLList):
        yield from _faults_of_list(type_.of_type, value)
    elif isinstance(type_, GraphQLInputObjectType):
        yield from _faults_of_object(type_, value)
    elif not _fits(type_, value):
        yield f'Expected type "{type_}", found {_written(value)}.', value


def _faults_of_list(item: GraphQLInputType, value: ValueNode) -> Iterator[Fault]:
    if not isinstance(value, ListValueNode):
        # A single value is a list of one.
        yield from _faults(item, value)
        return
    for number, each in enumerate(value.values):
        for text, node in _faults(item, each):
            yield f"In element #{number}: {text}", node


def _faults_of_object(type_: GraphQLInputObjectType, value: ValueNode) -> Iterator[Fault]:
    if not isinstance(value, ObjectValueNode):
        yield f'Expected "{type_}", found not an object.', value
        return
    given = {each.name.value: each for each in value.fields}
    for name in [each.name.value for each in value.fields if each.name.value not in type_.fields]:
        yield f'In field "{name}": Unknown field.{_hint(name, list(type_.fields))}', given[name]
    for name, field in type_.fields.items():
        if name in given:
            for text, node in _faults(field.type, given[name].value):
                yield f'In field "{name}": {text}', node
        elif isinstance(field.type, GraphQLNonNull) and field.default_value is Undefined:
            yield f'In field "{name}": Expected "{field.type}", found null.', value


def _fits(type_: Any, value: ValueNode) -> bool:
    try:
        return type_.parse_literal(value) is not Undefined
    except GraphQLError:
        return False


def _written(value: ValueNode) -> str:
    """A value as it stands in the query."""
    assert value.loc is not None
    text = value.loc.source.body[value.loc.start : value.loc.end]
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}…"


def _hint(wanted: str, known: list[str]) -> str:
    close = [f'"{each}"' for each in suggestion_list(wanted, known)[:3]]
    return f" Did you mean {' or '.join(close)}?" if close else ""
