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
    ValidationContext,
    ValueNode,
    VariableNode,
    is_required_input_field,
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

MOST_COMPARED = 50_000
"""Pairs of characters that are compared to find what may have been meant by unknown names, before it is left alone."""

Fault = tuple[str, Node]


class Hints:
    """What may have been meant by the first unknown names of a query; to find it for many would take long."""

    def __init__(self) -> None:
        self._left = MOST_COMPARED

    def of(self, wanted: str, known: Collection[str]) -> str:
        """What to say of `wanted`, which is none of the `known` names."""
        if self._left <= 0:
            return ""
        # No more than four of ten characters may differ.
        most = int(0.4 * len(wanted)) + 1
        near = [each for each in known if abs(len(each) - len(wanted)) <= most]
        if not near:
            return ""
        self._left -= len(wanted) * sum(map(len, near))
        close = [f'"{each}"' for each in suggestion_list(wanted, near)[:3]]
        return f" Did you mean {' or '.join(close)}?" if close else ""


class FieldRule(FieldsOnCorrectTypeRule):
    """A field must exist."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._hints = Hints()

    def enter_field(self, node: FieldNode, *_args: Any) -> None:
        """Report a field that its type does not have."""
        parent = self.context.get_parent_type()
        if parent is None or self.context.get_field_def():
            return
        wanted = node.name.value
        known = list(parent.fields) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else []
        text = f'Cannot query field "{wanted}" on type "{parent.name}".{self._hints.of(wanted, known)}'
        self.report_error(GraphQLError(text, node))


class ValueRule(ValuesOfCorrectTypeRule):
    """The value of an argument must be of its type; variables' defaults are looked at in the standard way."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._literals = _Literals()

    def enter_argument(self, node: ArgumentNode, *_args: Any) -> Any:
        """Report all that is wrong with an argument, at the place of the first fault."""
        argument = self.context.get_argument()
        if argument is None:
            return None
        faults = list(islice(self._literals.faults(argument.type, node.value), MOST_TOLD))
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


class _Literals:
    """Compares the literals of one document with their types; what a variable holds is not known yet."""

    def __init__(self) -> None:
        self._hints = Hints()
        self._required: dict[str, list[str]] = {}

    def faults(self, type_: GraphQLInputType, value: ValueNode) -> Iterator[Fault]:
        """What keeps a literal from being of a type."""
        if isinstance(value, VariableNode):
            return
        null = isinstance(value, NullValueNode)
        if isinstance(type_, GraphQLNonNull) and null:
            yield f'Expected "{type_}", found null.', value
        elif isinstance(type_, GraphQLNonNull):
            yield from self.faults(type_.of_type, value)
        elif null:
            return
        elif isinstance(type_, GraphQLList):
            yield from self._of_list(type_.of_type, value)
        elif isinstance(type_, GraphQLInputObjectType):
            yield from self._of_object(type_, value)
        elif not _fits(type_, value):
            yield f'Expected type "{type_}", found {_written(value)}.', value

    def _of_list(self, item: GraphQLInputType, value: ValueNode) -> Iterator[Fault]:
        if not isinstance(value, ListValueNode):
            # A single value is a list of one.
            yield from self.faults(item, value)
            return
        for number, each in enumerate(value.values):
            for text, node in self.faults(item, each):
                yield f"In element #{number}: {text}", node

    def _of_object(self, type_: GraphQLInputObjectType, value: ValueNode) -> Iterator[Fault]:
        if not isinstance(value, ObjectValueNode):
            yield f'Expected "{type_}", found not an object.', value
            return
        given = {each.name.value: each for each in value.fields}
        for name, each in given.items():
            if name not in type_.fields:
                yield f'In field "{name}": Unknown field.{self._hints.of(name, type_.fields)}', each
        for name, each in given.items():
            if name in type_.fields:
                for text, node in self.faults(type_.fields[name].type, each.value):
                    yield f'In field "{name}": {text}', node
        for name in self._needs(type_):
            if name not in given:
                yield f'In field "{name}": Expected "{type_.fields[name].type}", found null.', value

    def _needs(self, type_: GraphQLInputObjectType) -> list[str]:
        """The fields that an object must have; some types have hundreds that it may have."""
        if type_.name not in self._required:
            self._required[type_.name] = [name for name, each in type_.fields.items() if is_required_input_field(each)]
        return self._required[type_.name]


def _fits(type_: Any, value: ValueNode) -> bool:
    try:
        return type_.parse_literal(value) is not Undefined
    except (GraphQLError, ValueError):
        # A ValueError is Python's, at an integer of thousands of digits.
        return False


def _written(value: ValueNode) -> str:
    """A value as it stands in the query."""
    assert value.loc is not None
    text = value.loc.source.body[value.loc.start : value.loc.end]
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}…"
