"""Filters as DuckDB predicates.

Every predicate is true or false, never NULL, so that NOT means what it says. Values are always bound as parameters;
only names from the catalogue become text of a statement, quoted.
"""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

from typing import Any

from ..catalog import AUTH_FIELD, Place, table_of
from ..filters import All, Among, AnyOf, Compare, Filter, Holds, Not, Search, Within
from ..requests import Scope


def quote(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


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


def condition(scope: Scope, alias: str, binder: Binder) -> str:
    """The predicate of a scope on its document table: the caller's rights, and then the filter."""
    if not scope.access:
        return "false"
    allowed = binder.bind(sorted(scope.access))
    rights = f"coalesce({alias}.{quote(AUTH_FIELD)} in (select unnest({allowed}::varchar[])), false)"
    return f"{rights} and {_predicate(scope.filter, scope, alias, (), binder)}"


def _predicate(filter: Filter, scope: Scope, alias: str, nests: tuple[str, ...], binder: Binder) -> str:
    match filter:
        case All(parts):
            inner = [_predicate(part, scope, alias, nests, binder) for part in parts]
            return f"({' and '.join(inner)})" if inner else "true"
        case AnyOf(parts):
            return f"({' or '.join(_predicate(part, scope, alias, nests, binder) for part in parts)})"
        case Not(part):
            return f"(not {_predicate(part, scope, alias, nests, binder)})"
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
            column = column if place.field.array else f"[{column}]"
            return f"coalesce(list_has_all({column}, {binder.bind(list(values))}), false)"
        case Compare(place, operator, value):
            column = _column(place, alias)
            if place.field.array:
                column = f"list_{'max' if operator in ('>', '>=') else 'min'}({column})"
            return f"coalesce({column} {operator} {binder.bind(value)}, false)"
        case Search():
            return _search(filter, alias, binder)


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
    if among.values:
        values = binder.bind(list(among.values))
        if among.place.field.array:
            parts.append(f"coalesce(list_has_any({column}, {values}), false)")
        else:
            parts.append(f"coalesce({column} in (select unnest({values})), false)")
    return f"({' or '.join(parts)})" if parts else "false"


def _search(search: Search, alias: str, binder: Binder) -> str:
    keyword = binder.bind(search.keyword)
    parts = []
    for place in search.places:
        column = _column(place, alias)
        text = f"array_to_string({column}, chr(31))" if place.field.array else column
        parts.append(f"coalesce(contains(lower({text}), lower({keyword})), false)")
    return f"({' or '.join(parts)})" if parts else "false"
