"""Facets as DuckDB statements: the documents per value of a field.

All facets over plain columns that see the same documents are answered by one scan (``GROUPING SETS``). Facets that are
blind for their own clause (Guppy's ``filterSelf: false``) see documents that differ by a clause each; all of these
together take one scan more, which numbers the one clause that a document may fail. Lists are unnested, one scan each; a
facet in a nest counts its elements, as Elasticsearch does.
"""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..catalog import Place
from ..filters import All, Filter, conjuncts
from ..masking import Groups, buckets
from ..requests import Bucket, Cardinality, Scope, Terms, ValueCount
from ..sql.names import quote
from .measures import Run, carried, counted, having, source
from .measures import value_count as counted_values
from .predicate import Binder, documents, predicate
from .predicate import condition as condition_of


def terms(facets: Sequence[Terms], run: Run, max_buckets: int) -> list[list[Bucket]]:
    """Buckets of facets, in order."""
    found: dict[tuple[Scope, Place], Groups] = {}
    plain: dict[tuple[Scope, tuple[str, ...]], list[Place]] = {}
    for facet in facets:
        scope, place = facet.scope, facet.place
        if place.field.array:
            if (scope, place) not in found:
                found[scope, place] = _elements(scope, place, run, max_buckets)
        elif place not in (together := plain.setdefault((scope, place.nests), [])):
            together.append(place)
    for scan, blind in _shared(plain):
        found |= zip(blind, _blind(scan, blind, run, max_buckets), strict=True)
    for (scope, nests), columns in plain.items():
        left = [place for place in columns if (scope, place) not in found]
        for place, groups in zip(left, _grouping_sets(scope, nests, left, run, max_buckets), strict=True):
            found[scope, place] = groups
    return [buckets(found[facet.scope, facet.place], facet, max_buckets) for facet in facets]


# -- one scan for all facets that see the same documents --------------------------


def _grouping_sets(
    scope: Scope, nests: tuple[str, ...], places: Sequence[Place], run: Run, max_buckets: int
) -> list[Groups]:
    if not places:
        return []
    binder = Binder()
    columns = [f"d.{quote(place.field.name)}" for place in places]
    sets = ", ".join(f"({column})" for column in columns)
    key = f"coalesce({', '.join(f'{column}::varchar' for column in columns)})"
    whole = {"documents": not nests}
    rows = run(
        f"select {', '.join(columns)}, {_numbers(columns)}, {counted(scope.rights, **whole)} "
        f"{source(scope, nests, binder)} group by grouping sets ({sets}) {having(scope.rights, key, binder, **whole)} "
        f"limit {len(places) * (max_buckets + 2)}",
        binder.values,
    )
    found: list[Groups] = [[] for _ in places]
    for row in rows:
        which = _which(row, len(places))
        found[which].append((row[which], row[2 * len(places) :]))
    return found


def _numbers(columns: Sequence[str]) -> str:
    return ", ".join(f"grouping({column})" for column in columns)


def _which(row: tuple[Any, ...], places: int) -> int:
    """Which of the columns a row of grouping sets is about."""
    return row.index(0, places, 2 * places) - places


# -- one scan for all facets that are blind for a clause each ---------------------


@dataclass(frozen=True)
class _Blocks:
    """Scopes that differ by what they lack: clauses of all, and blocks of clauses of which each scope lacks one."""

    scope: Scope
    blocks: tuple[Filter, ...]


def _shared(
    plain: Mapping[tuple[Scope, tuple[str, ...]], Sequence[Place]],
) -> list[tuple[_Blocks, dict[tuple[Scope, Place], int]]]:
    """Scans that several scopes can share, with their facets and the number of the block that each is blind for."""
    families: dict[Scope, list[Scope]] = {}
    for scope, nests in plain:
        # Which of a document's clauses fails would tell of hidden ones, and the measures of masked groups do not add.
        if not nests and not scope.rights.masked:
            families.setdefault(replace(scope, filter=All()), []).append(scope)
    found = []
    for family, scopes in families.items():
        blocks, lacking = blocks_of([scope.filter for scope in scopes])
        if len(lacking) > 1:
            common, *others = blocks
            places = {
                (scopes[index], place): number
                for index, number in lacking.items()
                for place in plain[scopes[index], ()]
            }
            found.append((_Blocks(replace(family, filter=common), tuple(others)), places))
    return found


def blocks_of(filters: Sequence[Filter]) -> tuple[list[Filter], dict[int, int]]:
    """Take filters apart into blocks of clauses.

    Returns
    -------
    tuple
        The clauses that all of them have, followed by a block for each filter that lacks just this; and by the
        number of the filter that of its block, from 1. Filters that lack nothing, or more than one block, are not
        among them.
    """
    held = [frozenset(conjuncts(each)) for each in filters]
    missed: dict[frozenset[int], list[Filter]] = {}
    for clause in dict.fromkeys(clause for each in filters for clause in conjuncts(each)):
        lacking = frozenset(index for index, clauses in enumerate(held) if clause not in clauses)
        missed.setdefault(lacking, []).append(clause)
    common = All(tuple(missed.pop(frozenset(), [])))
    blocks: list[Filter] = [common]
    lacking_of: dict[int, int] = {}
    for indexes, clauses in missed.items():
        alone = all(not indexes & others for others in missed if others != indexes)
        if not alone:
            return [common], {}
        blocks.append(All(tuple(clauses)))
        lacking_of |= dict.fromkeys(indexes, len(blocks) - 1)
    return blocks, lacking_of


def _blind(scan: _Blocks, places: Mapping[tuple[Scope, Place], int], run: Run, max_buckets: int) -> list[Groups]:
    """Groups of facets of which each is blind for a block: of documents that fail no other block."""
    binder = Binder()
    scope = scan.scope
    names = list(dict.fromkeys(quote(place.field.name) for _, place in places))
    passed = [
        f"coalesce({predicate(block, scope, 'd', binder)}, false) as _p{n}" for n, block in enumerate(scan.blocks)
    ]
    failing = " ".join(f"when not _p{n} then {n + 1}" for n in range(len(scan.blocks)))
    held = " + ".join(f"_p{n}::tinyint" for n in range(len(scan.blocks)))
    rows = run(
        f"with d as (select {', '.join(names)}, case {failing} else 0 end as _failing from "
        f"(select {', '.join(f'd.{name}' for name in names)}, {', '.join(passed)} "
        f"from {documents(scope, binder)} d where {condition_of(scope, 'd', binder)}) "
        f"where {held} >= {len(scan.blocks) - 1}) "
        f"select {', '.join(names)}, {_numbers(names)}, _failing, count(*) from d "
        f"group by grouping sets ({', '.join(f'({name}, _failing)' for name in names)}) "
        f"limit {len(names) * (len(scan.blocks) + 1) * (max_buckets + 2)}",
        binder.values,
    )
    counts: list[dict[Any, dict[int, int]]] = [{} for _ in names]
    for row in rows:
        which = _which(row, len(names))
        counts[which].setdefault(row[which], {})[row[-2]] = row[-1]
    found: list[Groups] = []
    for (_, place), blind in places.items():
        summed = [
            (value, by.get(0, 0) + by.get(blind, 0))
            for value, by in counts[names.index(quote(place.field.name))].items()
        ]
        found.append([(value, (count,)) for value, count in summed if count])
    return found


# -- lists ------------------------------------------------------------------------


def _elements(scope: Scope, place: Place, run: Run, max_buckets: int) -> Groups:
    binder = Binder()
    rights = scope.rights
    column = f"d.{quote(place.field.name)}"
    carry = carried(rights)
    outer = carry.replace("d.", "")
    whole = {"documents": not place.nests}
    # list_distinct takes as long as everything else together.
    elements = "v" if place.field.distinct else "list_distinct(v)"
    rows = run(
        f"with s as materialized (select {column} v{carry} {source(scope, place.nests, binder)}) "
        f"select v, {counted(rights, **whole)} from (select unnest({elements}) v{outer} from s) group by v "
        f"{having(rights, 'v', binder, **whole)} "
        f"union all select null, {counted(rights, **whole)} from s where coalesce(len(v), 0) = 0 "
        f"{having(rights, 'null', binder, **whole)} limit {max_buckets + 2}",
        binder.values,
    )
    # Of missing values there is a row even if there are none.
    return [(row[0], row[1:]) for row in rows if row[1]]


# -- numbers about a field --------------------------------------------------------


def value_count(question: ValueCount, run: Run) -> int:
    """Number of values."""
    place = question.place
    return counted_values(question.scope, place.nests, quote(place.field.name), place.field.array, run)


def cardinality(question: Cardinality, run: Run) -> int:
    """Exact number of different values."""
    binder = Binder()
    rights, place = question.scope.rights, question.place
    carry = carried(rights)
    scan = f"select d.{quote(place.field.name)} v{carry} {source(question.scope, place.nests, binder)}"
    if place.field.array:
        scan = f"select unnest(v) v{carry.replace('d.', '')} from ({scan})"
    if not rights.masked:
        return int(run(f"select count(distinct v) from ({scan})", binder.values)[0][0])
    kept = having(rights, "v", binder, documents=False)
    statement = f"select count(*) from (select v from ({scan}) where v is not null group by v {kept})"
    return int(run(statement, binder.values)[0][0])
