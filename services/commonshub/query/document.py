"""From the text of a query to an operation that is known to be valid and of bearable size.

A parsed and validated document is kept by its text, so that a page that asks the same again costs neither. The limits
are checked before the work that they bound: size and nesting before parsing, the rest before validation.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Source,
    SourceLocation,
    parse,
)

from commonshub.core.errors import BadRequest, TooLarge

from .rules import rules
from .size import measure, tokens
from .validation import faults
from .variables import coerced

# A token at the end of a message: its kind, and itself between quotes.
_SHOWN_TOKEN = re.compile(r"\b([A-Z]\w*) '(.*)'$", re.DOTALL)

MOST_SHOWN = 200
"""Characters of a line that are shown where it is wrong."""

MAX_PLODDING = 20_000
"""Characters of texts with escapes, and of those in three quotes, which the parser takes one by one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one query; :class:`commonshub.query.app.QueryApp` has them as settings."""

    max_query_bytes: int = 131_072
    max_tokens: int = 3_000
    max_argument_tokens: int = 2_500
    max_depth: int = 32
    max_fields: int = 1_500
    max_fragments: int = 200
    max_errors: int = 20
    max_parts: int = 5_000
    max_filter_depth: int = 8
    max_buckets: int = 1_000
    max_answer_bytes: int = 2**27


class Invalid(BadRequest):
    """The query breaks the grammar or the schema.

    Parameters
    ----------
    errors
        What is wrong, one text each.
    places
        Where each of them is in the text of the query, by line and column from 1; none for what is wrong elsewhere.
    """

    code = "invalid_query"

    def __init__(self, errors: list[str], places: Sequence[tuple[int, int] | None] = ()) -> None:
        super().__init__(" ".join(errors))
        self.errors = errors
        self.places = places


def invalid(found: Sequence[GraphQLError]) -> Invalid:
    """What graphql-core has found, with its places."""
    places = [(each.locations[0].line, each.locations[0].column) if each.locations else None for each in found]
    return Invalid([each.message for each in found], places)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation with its variables filled in."""

    definition: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]


class Documents:
    """Parsed and validated documents of one schema, kept by text.

    Parameters
    ----------
    size
        Documents to keep.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, size: int) -> None:
        self.schema = schema
        self.limits = limits
        self._size = size
        self._kept: OrderedDict[str, DocumentNode] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> DocumentNode:
        """The document of `text`.

        Raises
        ------
        Invalid
            It breaks the grammar or the schema.
        TooLarge
            It goes beyond a limit.
        """
        with self._lock:
            known = self._kept.pop(text, None)
        if known is None:
            known = check(self.schema, text, self.limits)
        with self._lock:
            self._kept[text] = known
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return known

    def operation(self, text: str, variables: Mapping[str, Any], name: str | None) -> Operation:
        """The operation of `text` that is to run.

        Raises
        ------
        Invalid
            There is no such operation, it is no query, or a variable has the wrong type.
        """
        document = self.get(text)
        definition = _choose(document, name)
        found = coerced(
            self.schema,
            definition.variable_definitions,
            variables,
            max_depth=2 * self.limits.max_depth,
            max_parts=self.limits.max_parts,
            max_errors=self.limits.max_errors,
        )
        if isinstance(found, list):
            raise invalid(found)
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        return Operation(definition, fragments, found)


def check(schema: GraphQLSchema, text: str, limits: Limits) -> DocumentNode:
    """Parse and validate `text`.

    Raises
    ------
    Invalid, TooLarge
        As :meth:`Documents.get`.
    """
    _bounded(text, limits)
    try:
        document = parse(_Text(text), max_lexical_tokens=limits.max_tokens)
    except GraphQLError as error:
        raise Invalid([_syntax_error(error)], invalid([error]).places) from error
    if len(document.definitions) > limits.max_fragments:
        raise TooLarge(f"The query has more than {limits.max_fragments} operations and fragments.")
    errors = faults(schema, document, rules(text), limits.max_errors)
    if errors:
        raise invalid(errors)
    return document


class _Text(Source):
    """A text that counts its lines at once; faults at the end of many of them would take long to place."""

    def get_location(self, position: int) -> SourceLocation:
        body = self.body
        breaks = body.count("\n", 0, position) + body.count("\r", 0, position) - body.count("\r\n", 0, position)
        start = max(body.rfind("\n", 0, position), body.rfind("\r", 0, position)) + 1
        return SourceLocation(1 + breaks, 1 + position - start)


def _bounded(text: str, limits: Limits) -> None:
    """Refuse a text that would take long to parse or to validate."""
    if len(text.encode("utf-8", "replace")) > limits.max_query_bytes:
        raise TooLarge(f"The query is longer than {limits.max_query_bytes} bytes; send lists as variables.")
    found = tokens(text)
    if len(found) > limits.max_tokens:
        raise TooLarge(
            f"The query has more than {limits.max_tokens} tokens (words, signs and comments); send lists as variables."
        )
    size = measure(found)
    if size.fields > limits.max_fields:
        raise too_many_fields(limits)
    if size.arguments > limits.max_argument_tokens:
        raise TooLarge(
            f"The arguments of one field have more than {limits.max_argument_tokens} tokens (words and signs); "
            "send lists as variables."
        )
    if size.plodding > MAX_PLODDING:
        raise TooLarge(
            f"The query's texts with escapes or in three quotes have more than {MAX_PLODDING} characters; "
            "send them as variables."
        )
    if size.depth > 2 * limits.max_depth:
        raise TooLarge(f"The query is nested more than {2 * limits.max_depth} brackets deep.")


def too_many_fields(limits: Limits) -> TooLarge:
    """The refusal of a query that asks for too much at once."""
    return TooLarge(f"More than {limits.max_fields} fields are selected; ask for them in several queries.")


def _choose(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if name:
        operations = [each for each in operations if each.name and each.name.value == name]
    if not operations:
        raise Invalid([f'Unknown operation named "{name}".' if name else "Must provide an operation."])
    if len(operations) > 1:
        raise Invalid(["Must provide operation name if query contains multiple operations."])
    if operations[0].operation is not OperationType.QUERY:
        raise Invalid([f"This commons answers queries, no {operations[0].operation.value}s."])
    return operations[0]


def _syntax_error(error: GraphQLError) -> str:
    """A syntax error as Peregrine words it: with line and column, the line itself, and a mark below the place."""
    message = error.message.removeprefix("Syntax Error: ").removesuffix(".").replace("<EOF>", "EOF")
    message = _SHOWN_TOKEN.sub(r'\1 "\2"', message)
    if not error.locations or not error.source:
        return f"Syntax Error GraphQL {message}"
    line, column = error.locations[0]
    lines = error.source.body.splitlines()
    shown = lines[line - 1] if line <= len(lines) else ""
    marked = f"{line}: {shown[:MOST_SHOWN]}\n"
    if column <= MOST_SHOWN:
        marked += f"{' ' * (len(str(line)) + 1 + column)}^\n"
    return f"Syntax Error GraphQL ({line}:{column}) {message}\n\n{marked}"
