"""Expressions of a build: values, reductions, chains of links, and conditions."""

# ruff: noqa: S608 - names come from the dictionary and are quoted, values are literals

import sys
from collections.abc import Iterable, Sequence

from ..catalog import Field
from ..plan import ID, LABEL, Condition, Group, Hop, Path, Take, Test
from .dialect import Dialect
from .names import edge, node, quote


def value(dialect: Dialect, take: Take, alias: str, node_id: str) -> str:
    """The value of a take on the row at `alias`, before its replacements and its function."""
    if take.source == LABEL:
        return dialect.literal(node_id)
    return f"{alias}.{_column(take.source)}"


def _column(source: str) -> str:
    return "_id" if source == ID else quote(source)


def replaced(dialect: Dialect, take: Take, column: str) -> str:
    """A value with its replacements."""
    if not take.values:
        return column
    single = dialect.type_of(Field("", take.field.kind))
    if take.from_list and take.function is None:
        values = dialect.changed(column, lambda each: _replaced(dialect, take, each))
        return f"{values}::{dialect.list_type(single)}"
    return f"{_replaced(dialect, take, column)}::{single}"


def _replaced(dialect: Dialect, take: Take, column: str) -> str:
    cases = " ".join(f"when {dialect.literal(old)} then {dialect.literal(new)}" for old, new in take.values)
    text = dialect.text(column)
    return f"(case {text} {cases} else {text} end)"


def finite(number: str) -> str:
    """A number as long as it is one: JSON knows neither the infinite nor what is none, and OpenSearch takes neither."""
    return f"case when abs({number}) <= {sys.float_info.max!r} then {number} end"


def reduced(dialect: Dialect, take: Take, column: str) -> str:
    """The aggregate of a take over a column of single values; lists come sorted, so that equal data look equal."""
    match take.function:
        case "count":
            return "count(*)"
        case "sum":
            return finite(dialect.total(column))
        case "set" | "list":
            return dialect.sorted(column, distinct=take.function == "set")
    return f"{take.function}({column})"


def empty(dialect: Dialect, take: Take, column: str) -> str:
    """A field of documents that have nothing there: no count is 0, no list is empty, all else is missing."""
    if take.function == "count":
        return f"coalesce({column}, 0)"
    if take.function in ("set", "list"):
        return f"coalesce({column}, {dialect.listed([])})"
    return column


def chain(path: Path, start: str, prefix: str) -> tuple[str, str]:
    """Joins over a path from the column `start`; what to append to FROM, and the column with the id at its end."""
    joins = []
    for number, hop in enumerate(path):
        alias = f"{prefix}{number}"
        near, far = _ends(hop)
        joins.append(f"join {edge(hop.link)} {alias} on {alias}.{near} = {start}")
        start = f"{alias}.{far}"
    return " ".join(joins), start


def _ends(hop: Hop) -> tuple[str, str]:
    return ("dst", "src") if hop.down else ("src", "dst")


def where(dialect: Dialect, condition: Condition | None, alias: str) -> str:
    """A condition on the node at `alias` as a predicate that is true or false."""
    match condition:
        case None:
            return "true"
        case Group(every, parts):
            inner = [where(dialect, part, alias) for part in parts]
            return f"({(' and ' if every else ' or ').join(inner)})" if inner else "true"
        case Test():
            return _test(dialect, condition, alias)


def _test(dialect: Dialect, test: Test, alias: str) -> str:
    if not test.path:
        return _compare(dialect, test, alias)
    first, *others = test.path
    near, far = _ends(first)
    joins, last = chain(tuple(others), f"t.{far}", "t")
    return (
        f"{alias}._id in (select t.{near} from {edge(first.link)} t {joins} "
        f"join {node(test.node)} x on x._id = {last} where {_compare(dialect, test, 'x')})"
    )


def _compare(dialect: Dialect, test: Test, alias: str) -> str:
    column = dialect.literal(test.node) if test.source == LABEL else f"{alias}.{_column(test.source)}"
    values = [dialect.literal(each) if isinstance(each, str) else repr(each) for each in test.values]
    if not values:
        return "false"

    def holds(each: str) -> str:
        return (
            f"{each} in ({', '.join(values)})"
            if test.operator in ("=", "!=", "in")
            else f"{each} {test.operator} {values[0]}"
        )

    found = f"coalesce({dialect.some(column, holds) if test.array else holds(column)}, false)"
    return f"not {found}" if test.operator == "!=" else found


def columns(dialect: Dialect, takes: Iterable[Take], alias: str, node_id: str) -> list[str]:
    """Select items of takes that need no reduction."""
    return [
        f"{replaced(dialect, take, value(dialect, take, alias, node_id))} as {quote(take.field.name)}"
        for take in takes
    ]  # fmt: skip


def listed(items: Sequence[str]) -> str:
    """Select items after others."""
    return "".join(f", {item}" for item in items)
