"""How groups of documents are counted, and which of their counts are told.

Under masked rights three numbers belong to a group: all that it holds, those that the caller may read, and the
*documents* of others. A group's count is told when the documents of others are at least as many as the limit; if not,
the group exists for the caller only if they may read a part of it, and then without its count. So a group of others
below the limit changes nothing in any answer, whether it has many documents, few or none.
"""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

from collections.abc import Callable
from typing import Any

from ..catalog import MISSING, table_of
from ..requests import MASKED, Scope
from ..rights import Rights
from .predicate import OWN, Binder, condition, documents, quote

Run = Callable[[str, dict[str, Any]], list[tuple[Any, ...]]]


def source(scope: Scope, nests: tuple[str, ...], binder: Binder) -> str:
    """FROM and WHERE of the documents of a scope, or of the elements of one of their nests; the alias is ``d``."""
    table = documents(scope, binder)
    if not nests:
        return f"from {table} d where {condition(scope, 'd', binder)}"
    inner = quote(table_of(scope.doc_type.name, nests))
    if scope.rights.masked:
        parents = f'select p."_rid" as "_document", p.{OWN} from {table} p where {condition(scope, "p", binder)}'
        return f'from {inner} d join ({parents}) o on o."_document" = d."_rid" where true'
    return f'from {inner} d where d."_rid" in (select p."_rid" from {table} p where {condition(scope, "p", binder)})'


def carried(rights: Rights) -> str:
    """What a subselect of single values has to carry along, for :func:`counted` over it."""
    return f', d."_rid", {OWN}' if rights.masked else ""


def counted(rights: Rights, *, documents: bool) -> str:
    """The measures of a group: one, or three under masked rights.

    Parameters
    ----------
    documents
        Whether each row is one document; elements of a nest or a list are several rows of one.
    """
    if not rights.masked:
        return "count(*)"
    return f"count(*), count(*) filter ({OWN}), {_hidden(documents)}"


def _hidden(documents: bool) -> str:
    return f"{'count(*)' if documents else 'count(distinct _rid)'} filter (not {OWN})"


def having(rights: Rights, key: str, binder: Binder, *, documents: bool) -> str:
    """HAVING that leaves out the groups that do not exist for the caller.

    Parameters
    ----------
    key
        SQL of the group's value.
    """
    if not rights.masked:
        return ""
    parts = [f"count(*) filter ({OWN}) > 0", f"{_hidden(documents)} >= {binder.bind(rights.limit)}"]
    if rights.told:
        named = f"lower(coalesce({key}::varchar, {binder.bind(MISSING)}))"
        parts.append(f"{named} in (select unnest({binder.bind(sorted(rights.told))}::varchar[]))")
    return f"having {' or '.join(parts)}"


def told(rights: Rights, key: Any, measures: tuple[int, ...]) -> int:
    """The count of a group that exists for the caller.

    Parameters
    ----------
    measures
        What :func:`counted` found.
    """
    if not rights.masked:
        return measures[0]
    everything, _, hidden = measures
    name = MISSING if key is None else str(key)
    return everything if hidden >= rights.limit or name.lower() in rights.told else MASKED


def total(scope: Scope, run: Run) -> int:
    """Number of documents."""
    binder = Binder()
    found = source(scope, (), binder)
    return _single(scope.rights, run(f"select {counted(scope.rights, documents=True)} {found}", binder.values)[0])


def _single(rights: Rights, measures: tuple[int, ...]) -> int:
    return measures[0] if not rights.masked or measures[2] >= rights.limit else MASKED


def value_count(scope: Scope, nests: tuple[str, ...], column: str, array: bool, run: Run) -> int:
    """Number of values."""
    binder = Binder()
    values = "len(v)" if array else "1"
    present = "coalesce(len(v), 0) > 0" if array else "v is not null"
    scan = f"select d.{column} v{carried(scope.rights)} {source(scope, nests, binder)}"
    measures = f"coalesce(sum({values}), 0)"
    if scope.rights.masked:
        measures += f", 0, {_hidden(documents=not nests)}"
    return _single(scope.rights, run(f"select {measures} from ({scan}) where {present}", binder.values)[0])
