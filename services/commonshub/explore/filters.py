"""Guppy's filter grammar, parsed into a small algebra that any engine can execute.

Grammar
-------
``{"AND" | "OR" | "NOT": [filter, …]}``, ``{op: {field: value}}``, ``{"nested": {"path": p, …filter}}``,
``{"search": {"keyword": text, "fields": [f, …]}}``; ``{}`` and ``null`` restrict nothing. Several keys in one object
hold together (AND). An empty list restricts nothing, as it does in Elasticsearch. ``NOT``, ``like`` and
``{"linked": {"type": t, "field": f, "on": g, "filter": filter}}`` are ours. Arranger's SQON (:mod:`.sqon`) may stand
wherever a filter may.

Meaning
-------
- On a list, ``=``, ``IN`` and the comparisons hold when one element does; ``!=`` holds when no element is equal.
- The value ``no data`` stands for a missing value. Text ``!=`` keeps rows without a value, number ``!=`` does not.
- Among the texts of ``=``, ``IN`` and ``!=``, ``set_id:`` with the id of a saved set stands for what it holds.
- A nested clause holds when *one* element meets all of its conditions. A dotted field outside of one asks whether
  any element meets this condition, and with ``!=`` whether none is equal.
- A linked clause holds when a document of another type that the caller may read, and that meets the filter there, has
  in `on` a value that this one has in `field`. So files can be chosen by what holds for their cases.

Every part is checked against the catalogue here, so what comes out can be executed without further questions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from commonshub.core.errors import BadRequest

from . import sqon
from .catalog import MISSING, DocType, Place
from .rights import Rights

Scalar = str | int | float
Comparison = Literal[">", ">=", "<", "<="]


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
    """The value, or an element of the list, compares with `value`."""

    place: Place
    operator: Comparison
    value: Scalar


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
Sets = Mapping[str, tuple[str, ...]]
"""The texts of saved sets, by their ids."""

EVERYTHING = All()
SET = "set_id:"
MIN_KEYWORD_CHARS = 2
MAX_DEPTH = 20
MAX_CLAUSES = 2_000

_COMPARISONS: dict[str, Comparison] = {
    ">": ">", "gt": ">", "GT": ">", ">=": ">=", "gte": ">=", "GTE": ">=",
    "<": "<", "lt": "<", "LT": "<", "<=": "<=", "lte": "<=", "LTE": "<=",
}  # fmt: skip
_IN = frozenset({"=", "eq", "EQ", "in", "IN"})
_TEXT_IN = _IN | {"contains_any", "CONTAINS_ANY"}
_NOT_IN = frozenset({"!="})
_TEXT_NOT_IN = _NOT_IN | {"excludes_any", "EXCLUDES_ANY"}
_HOLDS = frozenset({"contains_all", "CONTAINS_ALL"})
_LACKS = frozenset({"excludes_all", "EXCLUDES_ALL"})
_GROUPS = {"and": All, "AND": All, "or": AnyOf, "OR": AnyOf}
_NOT = frozenset({"not", "NOT"})
_LIKE = frozenset({"like", "LIKE"})
_OPERATORS = _TEXT_IN | _TEXT_NOT_IN | _HOLDS | _LACKS | _LIKE | _COMPARISONS.keys()
_NO_SETS: Sets = {}


def parse(document: Any, doc_type: DocType, links: Links = lambda _: None, sets: Sets = _NO_SETS) -> Filter:
    """Check a filter against a document type.

    Parameters
    ----------
    sets
        The saved sets that the caller may use.

    Raises
    ------
    BadRequest
        Names the place in the filter, and what is wrong there.
    """
    return _Parser(doc_type, links, sets).parse(document, "filter", (), 0)


class _Parser:
    """Reads one filter; `nests` is the nest that a clause speaks about."""

    def __init__(self, doc_type: DocType, links: Links, sets: Sets, clauses: int = 0) -> None:
        self.doc_type = doc_type
        self.links = links
        self.sets = sets
        self.clauses = clauses

    def parse(self, document: Any, at: str, nests: tuple[str, ...], depth: int) -> Filter:
        if document is None:
            return EVERYTHING
        if not isinstance(document, Mapping):
            raise BadRequest(f'{at} must be an object. Please check your syntax for input "filter" argument.')
        if depth > MAX_DEPTH:
            raise BadRequest(f"{at} is nested deeper than {MAX_DEPTH} levels.")
        below = f"{at}.{{}}"
        if sqon.is_sqon(document):
            document, below = sqon.translate(document, at, ".".join(nests)), f"{at}.content"
        parts = [self._clause(key, value, below.format(key), nests, depth) for key, value in document.items()]
        return parts[0] if len(parts) == 1 else _group(All, parts)

    def _clause(self, key: str, value: Any, at: str, nests: tuple[str, ...], depth: int) -> Filter:
        self.clauses += 1
        if self.clauses > MAX_CLAUSES:
            raise BadRequest(f"The filter has more than {MAX_CLAUSES} clauses; name many values in one IN instead.")
        if key in _GROUPS:
            return _group(_GROUPS[key], self._list(value, at, nests, depth))
        if key in _NOT:
            return _group(All, [Not(part) for part in self._list(value, at, nests, depth)])
        if key == "nested":
            return self._nested(value, at, nests, depth)
        if key == "linked":
            return self._linked(value, at, nests, depth)
        if key == "search":
            return self._search(value, at, nests)
        if key not in _OPERATORS:
            raise BadRequest(
                f'{at}: there is no operator {key!r}. Please check your syntax for input "filter" argument.'
            )
        if not isinstance(value, Mapping) or not value:
            raise BadRequest(f"{at} must be an object of one field and its value.")
        return _group(All, [self._leaf(key, name, each, f"{at}.{name}", nests) for name, each in value.items()])

    def _list(self, value: Any, at: str, nests: tuple[str, ...], depth: int) -> list[Filter]:
        if not isinstance(value, list):
            raise BadRequest(f"{at} must be a list of filters.")
        return [self.parse(each, f"{at}[{n}]", nests, depth + 1) for n, each in enumerate(value)]

    def _nested(self, value: Any, at: str, nests: tuple[str, ...], depth: int) -> Filter:
        if not isinstance(value, Mapping) or not isinstance(value.get("path"), str):
            raise BadRequest(f"{at} must be an object with a path and conditions.")
        path = tuple(value["path"].split("."))
        inner = path if path[: len(nests)] == nests else (*nests, *path)
        if len(inner) <= len(nests) or self.doc_type.inside(inner) is None:
            raise BadRequest(f"{at}.path: {self.doc_type.name} has no nested field {value['path']!r} here.")
        rest = {key: each for key, each in value.items() if key != "path"}
        return Within(inner, self.parse(rest, at, inner, depth + 1))

    def _linked(self, value: Any, at: str, nests: tuple[str, ...], depth: int) -> Filter:
        if not isinstance(value, Mapping) or value.keys() - {"type", "field", "on", "filter"} or nests:
            raise BadRequest(f"{at} must be an object of type, field, on and filter, outside of nested clauses.")
        name, path = value.get("type"), value.get("field")
        found = self.links(name) if isinstance(name, str) else None
        if found is None:
            raise BadRequest(f"{at}.type: there is no document type {name!r}.")
        other, rights = found
        places = []
        for doc_type, key in ((self.doc_type, path), (other, value.get("on", path))):
            place = doc_type.find(key) if isinstance(key, str) else None
            if place is None or place.nests:
                raise BadRequest(f"{at}: {doc_type.name} has no field {key!r} to link by.")
            places.append(place)
        here, there = places
        if here.field.numeric != there.field.numeric:
            raise BadRequest(f"{at}: {here.path!r} and {there.path!r} are of different types.")
        parser = _Parser(other, self.links, self.sets, self.clauses)
        part = parser.parse(value.get("filter"), f"{at}.filter", (), depth + 1)
        self.clauses = parser.clauses
        return Linked(here, other, rights, there, part)

    def _place(self, name: str, at: str, nests: tuple[str, ...]) -> Place:
        relative = self.doc_type.find(".".join((*nests, name)))
        place = relative or self.doc_type.find(name)
        if place is None or place.nests[: len(nests)] != nests:
            raise BadRequest(
                f"{at}: {self.doc_type.name} has no field {name!r}. "
                'Please check your syntax for input "filter" argument.'
            )
        return place

    def _leaf(self, operator: str, name: str, value: Any, at: str, nests: tuple[str, ...]) -> Filter:
        place = self._place(name, at, nests)
        if place.field.numeric:
            condition = _number(operator, place, value, at)
        else:
            condition = _text(operator, place, value, at, self.sets)
        if place.nests == nests:
            return condition
        if isinstance(condition, Not):
            return Not(Within(place.nests, condition.part))
        return Within(place.nests, condition)

    def _search(self, value: Any, at: str, nests: tuple[str, ...]) -> Filter:
        if not isinstance(value, Mapping) or not isinstance(value.get("keyword"), str):
            raise BadRequest(f"{at} must be an object with a keyword.")
        keyword = value["keyword"]
        if len(keyword) < MIN_KEYWORD_CHARS:
            raise BadRequest(f"{at}.keyword must have at least {MIN_KEYWORD_CHARS} characters.")
        names = value.get("fields") or []
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadRequest(f"{at}.fields must be a field or a list of fields.")
        places = [self._place(name, at, nests) for name in names]
        if not places:
            places = [place for place in self.doc_type.places() if place.nests == nests and not place.field.numeric]
        for place in places:
            if place.field.numeric or place.nests != nests:
                raise BadRequest(f"{at}.fields: {place.path!r} is not a text field at this level.")
        return Search(keyword, tuple(places))


def _group(kind: type[All] | type[AnyOf], parts: Sequence[Filter]) -> Filter:
    """A group without the parts that restrict nothing (in an OR these make the group restrict nothing)."""
    kept = tuple(part for part in parts if part != EVERYTHING)
    if not kept or (kind is AnyOf and len(kept) < len(parts)):
        return EVERYTHING
    return kept[0] if len(kept) == 1 else kind(kept)


def _values(value: Any, at: str) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    for each in values:
        if each is None or isinstance(each, (dict, list)):
            raise BadRequest(f"{at}: a value must be text, a number or true/false, not {each!r}.")
    return values


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(operator: str, place: Place, value: Any, at: str, sets: Sets) -> Filter:
    values = [_as_text(each) for each in _values(value, at)]
    if operator in _HOLDS or operator in _LACKS:
        holds = Holds(place, tuple(values))
        return holds if operator in _HOLDS else Not(holds)
    if operator in _LIKE:
        return Like(place, tuple(values))
    if operator in _TEXT_IN:
        return _among(place, values, at, sets)
    if operator in _TEXT_NOT_IN:
        return Not(_among(place, values, at, sets))
    raise BadRequest(f"{at}: operator {operator!r} does not apply to text.")


def _among(place: Place, values: Sequence[str], at: str, sets: Sets) -> Filter:
    named = list(dict.fromkeys(each for each in values if each.startswith(SET)))
    kept = tuple(each for each in values if each != MISSING and not each.startswith(SET))
    missing = MISSING in values
    # A set is a part by itself, so that it is held once, however many filters name it.
    parts = [Among(place, kept, missing)] if kept or missing or not named else []
    for each in named:
        texts = sets.get(each.removeprefix(SET))
        if texts is None:
            raise BadRequest(f"{at}: you have no saved set {each.removeprefix(SET)[:40]!r}.")
        parts.append(Among(place, texts))
    return _group(AnyOf, parts)


def _as_number(value: Any, at: str) -> int | float:
    try:
        number = float(value)
        exact = value if isinstance(value, int) else int(number) if number.is_integer() else number
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{at}: {str(value)[:40]!r} is not a number.") from error
    if isinstance(value, bool) or number != number:
        raise BadRequest(f"{at}: {value!r} is not a number.")
    return exact


def _number(operator: str, place: Place, value: Any, at: str) -> Filter:
    if operator in _COMPARISONS:
        if isinstance(value, list):
            raise BadRequest(f"{at}: operator {operator!r} takes one number.")
        return Compare(place, _COMPARISONS[operator], _as_number(_values(value, at)[0], at))
    values = _values(value, at)
    kept = tuple(_as_number(each, at) for each in values if each != MISSING)
    among = Among(place, kept, missing=len(kept) < len(values))
    if operator in _IN:
        return among
    if operator in _NOT_IN:
        return Not(Among(place, kept, missing=True))
    raise BadRequest(f"{at}: operator {operator!r} does not apply to numbers.")


def without(filter: Filter, path: str) -> Filter:
    """The filter without the clauses on one field: what a facet that does not filter itself sees."""
    match filter:
        case All(parts) | AnyOf(parts):
            kept = [part for part in (without(part, path) for part in parts) if part != EVERYTHING]
            return _group(type(filter), kept)
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
