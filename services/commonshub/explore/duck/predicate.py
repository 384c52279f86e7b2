"""Filters as DuckDB predicates.

A predicate may be NULL instead of false, which WHERE, AND and OR take alike; only where it is negated it is made false
first. DuckDB pushes bare comparisons into the scan, and those that are wrapped it does not. Values are always bound as
parameters; only names from the catalogue become text of a statement, quoted.
"""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

import re
from typing import Any

from ..catalog import AUTH_FIELD, Place, table_of
from ..filters import All, Among, AnyOf, Compare, Filter, Holds, Like, Linked, Not, Search, Within
from ..requests import Scope
from ..rights import Rights
from ..sql.names import quote

# Values that are compared one by one. More are looked up, by a subquery, of which DuckDB takes less than 1000.
_FEW = 8


class Binder:
    """Hands out parameter names for values, and names for table aliases."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._aliases = 0

    def bind(self, value: Any) -> str:
        """The SQL that stands for `value`."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def alias(self) -> str:
        """A fresh table alias."""
        self._aliases += 1
        return f"n{self._aliases}"


OWN = '"_own"'
"""Column of the documents under masked rights: whether the caller may read this one."""


def documents(scope: Scope, binder: Binder) -> str:
    """The table of the documents of a scope, to be selected from; with :data:`OWN` where its rights are masked."""
    table = quote(scope.doc_type.name)
    if not scope.rights.masked:
        return table
    return f"(select *, coalesce({_readable(scope.rights, quote(AUTH_FIELD), binder)}, false) as {OWN} from {table})"


def condition(scope: Scope, alias: str, binder: Binder) -> str:
    """The predicate of a scope on its :func:`documents`: the caller's rights, and then the filter."""
    return f"{_rights(scope, alias, binder)} and {predicate(scope.filter, scope, alias, binder)}"


def predicate(filter: Filter, scope: Scope, alias: str, binder: Binder) -> str:
    """A filter on the documents at `alias`, without any rights."""
    return _predicate(filter, scope, alias, (), binder)


def _rights(scope: Scope, alias: str, binder: Binder) -> str:
    rights = scope.rights
    path = f"{alias}.{quote(AUTH_FIELD)}"
    if rights.reach == "public":
        return "true"
    if rights.reach == "own":
        return f"{path} is not null" if rights.whole else _readable(rights, path, binder)
    # Documents without a path belong to no project for sure, and are nobody's to count.
    parts = [f"{path} is not null"]
    if rights.reach == "others":
        parts.append(f"not {alias}.{OWN}")
    if (sensitive := scope.sensitive) is not None:
        parts.append(f"({alias}.{OWN} or {predicate(Not(sensitive), scope, alias, binder)})")
    return f"({' and '.join(parts)})"


def _readable(rights: Rights, path: str, binder: Binder) -> str:
    return f"{path} in (select unnest({binder.bind(sorted(rights.paths))}::varchar[]))" if rights.paths else "false"


def _predicate(filter: Filter, scope: Scope, alias: str, nests: tuple[str, ...], binder: Binder) -> str:
    match filter:
        case All(parts):
            inner = [_predicate(part, scope, alias, nests, binder) for part in parts]
            return f"({' and '.join(inner)})" if inner else "true"
        case AnyOf(parts):
            return f"({' or '.join(_predicate(part, scope, alias, nests, binder) for part in parts)})"
        case Not(part):
            return f"(not coalesce({_predicate(part, scope, alias, nests, binder)}, false))"
        case Within(inner_nests, part):
            child = binder.alias()
            return (
                f"exists (from {quote(table_of(scope.doc_type.name, inner_nests))} {child} "
                f"where {_parent(scope, alias, nests, child, inner_nests, binder)} "
                f"and {_predicate(part, scope, child, inner_nests, binder)})"
            )
        case Among():
            return _among(filter, alias, binder)
        case Holds(place, values):
            column = _column(place, alias)
            column = f"coalesce({column}, [])" if place.field.array else f"[{column}]"
            return f"list_has_all({column}, {binder.bind(list(values))})"
        case Compare():
            return _compare(filter, alias, binder)
        case Search():
            return _search(filter, alias, binder)
        case Like(place, patterns):
            return _like(place, patterns, alias, binder)
        case Linked():
            return _linked(filter, scope, alias, binder)


def _parent(
    scope: Scope, alias: str, nests: tuple[str, ...], child: str, inner: tuple[str, ...], binder: Binder
) -> str:
    """How rows of a nest's table belong to the row at `alias`, which is the document or an element of an outer nest."""
    if not nests:
        return f'{child}."_rid" = {alias}."_rid"'
    if len(inner) == len(nests) + 1:
        return f'{child}."_pid" = {alias}."_eid"'
    between = binder.alias()
    table = quote(table_of(scope.doc_type.name, inner[:-1]))
    return (
        f'{child}."_pid" in (select {between}."_eid" from {table} {between} '
        f"where {_parent(scope, alias, nests, between, inner[:-1], binder)})"
    )


def _column(place: Place, alias: str) -> str:
    return f"{alias}.{quote(place.field.name)}"


def missing(place: Place, alias: str) -> str:
    """Whether a field has no value."""
    column = _column(place, alias)
    return f"coalesce(len({column}), 0) = 0" if place.field.array else f"{column} is null"


def _among(among: Among, alias: str, binder: Binder) -> str:
    column = _column(among.place, alias)
    parts = [f"({missing(among.place, alias)})"] if among.missing else []
    values = among.values
    if values and among.place.field.array:
        parts.append(f"list_has_any({column}, {binder.bind(list(values))})")
    elif len(values) > _FEW:
        parts.append(f"{column} in (select unnest({binder.bind(list(values))}))")
    elif values:
        parts.append(f"{column} in ({', '.join(map(binder.bind, values))})")
    return f"({' or '.join(parts)})" if parts else "false"


def _compare(compare: Compare, alias: str, binder: Binder) -> str:
    column = _column(compare.place, alias)
    bounds = [f" {operator} {binder.bind(value)}" for operator, value in compare.bounds]
    if not compare.place.field.array:
        return f"({' and '.join(column + bound for bound in bounds)})"
    if len(bounds) == 1:
        ((operator, _),) = compare.bounds
        return f"list_{'max' if operator in ('>', '>=') else 'min'}({column}){bounds[0]}"
    return f"len(list_filter({column}, lambda x: {' and '.join('x' + bound for bound in bounds)})) > 0"


def _search(search: Search, alias: str, binder: Binder) -> str:
    keyword = binder.bind(search.keyword)
    parts = []
    for place in search.places:
        column = _column(place, alias)
        text = f"array_to_string({column}, chr(31))" if place.field.array else column
        parts.append(f"contains(lower({text}), lower({keyword}))")
    return f"({' or '.join(parts)})" if parts else "false"


def _like(place: Place, patterns: tuple[str, ...], alias: str, binder: Binder) -> str:
    column = _column(place, alias)
    expressions = ["(?s)" + ".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns]
    parts = [f"regexp_full_match({{}}, {binder.bind(expression)})" for expression in expressions]
    if place.field.array:
        met = " or ".join(part.format("x") for part in parts)
        return f"len(list_filter({column}, lambda x: {met})) > 0"
    return f"({' or '.join(part.format(column) for part in parts)})"


def _linked(linked: Linked, scope: Scope, alias: str, binder: Binder) -> str:
    there, here = binder.alias(), binder.alias()
    inner = Scope(linked.doc_type, linked.rights, linked.part)
    found = _each(linked.other, there)
    values = f"select {found} from {documents(inner, binder)} {there} where {condition(inner, there, binder)}"
    if not linked.place.field.array:
        return f"{_column(linked.place, alias)} in ({values})"
    elements = f'select "_rid", unnest({quote(linked.place.field.name)}) as v from {quote(scope.doc_type.name)}'
    return f'{alias}."_rid" in (select {here}."_rid" from ({elements}) {here} where {here}.v in ({values}))'


def _each(place: Place, alias: str) -> str:
    column = _column(place, alias)
    return f"unnest({column})" if place.field.array else column
