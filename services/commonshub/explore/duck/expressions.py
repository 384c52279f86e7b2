"""Expressions of the build: values, reductions, chains of links, and conditions."""

# ruff: noqa: S608 - names come from the dictionary and are quoted, values are literals

from collections.abc import Iterable, Sequence

from commonshub.core.graph import edge_table

from ..catalog import Field
from ..plan import ID, LABEL, Condition, Function, Group, Path, Take, Test
from .load import edge, literal, node, type_of
from .predicate import quote


def value(take: Take, alias: str, node_id: str) -> str:
    """The value of a take on the row at `alias`, before its replacements and its function."""
    if take.source == ID:
        return f'{alias}."_id"'
    return literal(node_id) if take.source == LABEL else f"{alias}.{quote(take.source)}"


def replaced(take: Take, column: str) -> str:
    """A value with its replacements."""
    if not take.values:
        return column
    if take.from_list and take.function is None:
        return f"list_transform({column}, lambda x: {_replaced('x', take)})::{type_of(take.field)}"
    return _replaced(column, take)


def _replaced(column: str, take: Take) -> str:
    cases = " ".join(f"when {literal(old)} then {literal(new)}" for old, new in take.values)
    target = type_of(Field("", take.field.kind))
    return f"(case {column}::varchar {cases} else {column}::varchar end)::{target}"


_REDUCTIONS: dict[Function | None, str] = {
    "count": "count(*)",
    "sum": "sum({0})::double",
    "min": "min({0})",
    "max": "max({0})",
    "set": "list(distinct {0} order by {0}) filter ({0} is not null)",
    "list": "list({0} order by {0}) filter ({0} is not null)",
}


def reduced(take: Take, column: str) -> str:
    """The aggregate of a take over a column of single values; lists come sorted, so that equal data look equal."""
    return _REDUCTIONS[take.function].format(column)


def empty(take: Take, column: str) -> str:
    """A field of documents that have nothing there: no count is 0, no list is empty, all else is missing."""
    if take.function == "count":
        return f"coalesce({column}, 0)"
    if take.function in ("set", "list"):
        return f"coalesce({column}, [])"
    return column


def chain(path: Path, start: str, prefix: str) -> tuple[str, str]:
    """Joins over a path from the column `start`; what to append to FROM, and the column with the id at its end."""
    joins = []
    for number, hop in enumerate(path):
        alias = f"{prefix}{number}"
        near, far = ("dst", "src") if hop.down else ("src", "dst")
        joins.append(f"join {edge(edge_table(hop.link))} {alias} on {alias}.{near} = {start}")
        start = f"{alias}.{far}"
    return " ".join(joins), start


def where(condition: Condition | None, alias: str) -> str:
    """A condition on the node at `alias` as a predicate that is true or false."""
    return "true" if condition is None else _condition(condition, alias)


def _condition(condition: Condition, alias: str) -> str:
    match condition:
        case Group(every, parts):
            inner = [_condition(part, alias) for part in parts]
            return f"({(' and ' if every else ' or ').join(inner)})" if inner else "true"
        case Test():
            return _test(condition, alias)


def _test(test: Test, alias: str) -> str:
    if not test.path:
        return _compare(test, alias)
    joins, last = chain(test.path, "o._id", "t")
    target = f"join {node(test.node)} x on x._id = {last}"
    return f"exists (select 1 from (select {alias}._id as _id) o {joins} {target} where {_compare(test, 'x')})"


def _compare(test: Test, alias: str) -> str:
    column = f'{alias}."_id"' if test.source == ID else f"{alias}.{quote(test.source)}"
    if test.source == LABEL:
        column = literal(test.node)
    values = [literal(each) if isinstance(each, str) else repr(each) for each in test.values]
    if test.array:
        compared = f"list_has_any({column}, [{', '.join(values)}])"
        if test.operator in ("<", "<=", ">", ">="):
            compared = f"len(list_filter({column}, lambda x: x {test.operator} {values[0]})) > 0"
        return f"coalesce({'not ' if test.operator == '!=' else ''}{compared}, {test.operator == '!='})"
    if test.operator == "in":
        return f"coalesce({column} in ({', '.join(values)}), false)" if values else "false"
    return f"coalesce({column} {test.operator} {values[0]}, {test.operator == '!='})"


def columns(takes: Iterable[Take], alias: str, node_id: str) -> list[str]:
    """Select items of takes that need no reduction."""
    return [f"{replaced(take, value(take, alias, node_id))} as {quote(take.field.name)}" for take in takes]


def listed(items: Sequence[str]) -> str:
    """Select items after others."""
    return "".join(f", {item}" for item in items)
