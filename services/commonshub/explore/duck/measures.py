"""How groups of documents are counted: the measures of :mod:`commonshub.explore.masking` as DuckDB's SQL."""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

from collections.abc import Callable
from typing import Any

from ..catalog import MISSING, table_of
from ..masking import single
from ..requests import Scope
from ..rights import Rights
from ..sql.names import quote
from .predicate import OWN, Binder, condition, documents

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


def total(scope: Scope, run: Run) -> int:
    """Number of documents."""
    binder = Binder()
    found = source(scope, (), binder)
    return single(scope.rights, run(f"select {counted(scope.rights, documents=True)} {found}", binder.values)[0])


def value_count(scope: Scope, nests: tuple[str, ...], column: str, array: bool, run: Run) -> int:
    """Number of values."""
    binder = Binder()
    values = "len(v)" if array else "1"
    present = "coalesce(len(v), 0) > 0" if array else "v is not null"
    scan = f"select d.{column} v{carried(scope.rights)} {source(scope, nests, binder)}"
    measures = f"coalesce(sum({values}), 0)"
    if scope.rights.masked:
        measures += f", 0, {_hidden(documents=not nests)}"
    return single(scope.rights, run(f"select {measures} from ({scan}) where {present}", binder.values)[0])
