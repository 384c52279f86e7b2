"""Filters as a small algebra that any engine can execute.

Every part was checked against the catalogue (:mod:`.grammar`), so it can be executed without further questions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .catalog import DocType, Place
from .rights import Rights

Scalar = str | int | float
Comparison = Literal[">", ">=", "<", "<="]
Bound = tuple[Comparison, int | float]


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; no part at all restricts nothing."""

    parts: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of its parts holds."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Filter"


class Values(tuple[Scalar, ...]):
    """Values of a clause. There may be very many, and what is asked about them is looked up often: one hash does."""

    _hash: int | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = super().__hash__()
        return self._hash


@dataclass(frozen=True, slots=True)
class Among:
    """The value, or an element of the list, is one of `values`; or it is missing, where `missing` is set."""

    place: Place
    values: tuple[Scalar, ...]
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Holds:
    """The list holds all of `values`."""

    place: Place
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """The value, or one element of the list, is within `bounds`: a lower one, an upper one, or both."""

    place: Place
    bounds: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """One element of the nest at `nests` meets `part`; inside another, one element of that element."""

    nests: tuple[str, ...]
    part: "Filter"


@dataclass(frozen=True, slots=True)
class Search:
    """One of `places` contains `keyword`, in any case."""

    keyword: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """The value, or an element of the list, has the form of one of `patterns`, where ``*`` stands for any text."""

    place: Place
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A document of `doc_type` within `rights` that meets `part` has in `other` a value that is in `place`."""

    place: Place
    doc_type: DocType
    rights: Rights
    other: Place
    part: "Filter"


Filter = All | AnyOf | Not | Among | Holds | Compare | Within | Search | Like | Linked
Links = Callable[[str], tuple[DocType, Rights] | None]
"""Another document type by its name, and what of it the caller may read."""
Sets = Mapping[str, tuple[Scalar, ...]]

EVERYTHING = All()


def group(kind: type[All] | type[AnyOf], parts: Sequence[Filter]) -> Filter:
    """A group without the parts that restrict nothing (in an OR these make the group restrict nothing)."""
    kept = tuple(part for part in parts if part != EVERYTHING)
    if not kept or (kind is AnyOf and len(kept) < len(parts)):
        return EVERYTHING
    return kept[0] if len(kept) == 1 else kind(kept)


def within_one(comparisons: Sequence[Compare]) -> list[Filter]:
    """Comparisons as one for each field, so that one element of a list has to meet all on that field."""
    bounds: dict[Place, list[Bound]] = {}
    for each in comparisons:
        bounds.setdefault(each.place, []).extend(each.bounds)
    return [Compare(place, _strictest(found)) for place, found in bounds.items()]


def _strictest(bounds: Sequence[Bound]) -> tuple[Bound, ...]:
    lower = [bound for bound in bounds if bound[0] in (">", ">=")]
    upper = [bound for bound in bounds if bound[0] in ("<", "<=")]
    found = [max(lower, key=lambda bound: (bound[1], bound[0] == ">"))] if lower else []
    return (*found, min(upper, key=lambda bound: (bound[1], bound[0] == "<="))) if upper else tuple(found)


def without(filter: Filter, path: str) -> Filter:
    """The filter without the clauses on one field: what a facet that does not filter itself sees."""
    match filter:
        case All(parts) | AnyOf(parts):
            kept = [part for part in (without(part, path) for part in parts) if part != EVERYTHING]
            return group(type(filter), kept)
        case Not(part):
            rest = without(part, path)
            return EVERYTHING if rest == EVERYTHING else Not(rest)
        case Within(nests, part):
            rest = without(part, path)
            return EVERYTHING if rest == EVERYTHING and part != EVERYTHING else Within(nests, rest)
        case Among(place) | Holds(place) | Compare(place) | Like(place) | Linked(place):
            return EVERYTHING if place.path == path else filter
        case Search():
            return filter


def conjuncts(filter: Filter) -> tuple[Filter, ...]:
    """The parts that hold together in a filter; itself, where it is one part."""
    return filter.parts if isinstance(filter, All) else (filter,)


def searches(filter: Filter) -> Iterator[Search]:
    """The searches in a filter that a row can match, for the highlights."""
    match filter:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from searches(part)
        case Search():
            yield filter
        case _:
            return


def values_in(filter: Filter) -> int:
    """How many values a filter names."""
    match filter:
        case All(parts) | AnyOf(parts):
            return sum(map(values_in, parts))
        case Not(part) | Within(_, part) | Linked(part=part):
            return values_in(part)
        case Among(_, values) | Holds(_, values) | Like(_, values):
            return len(values)
        case _:
            return 1
