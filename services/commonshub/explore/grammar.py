"""Guppy's filter grammar, read into the algebra of :mod:`.filters`.

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

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from commonshub.core.errors import BadRequest

from . import sqon
from .catalog import MISSING, DocType, Place
from .filters import (
    EVERYTHING,
    All,
    Among,
    AnyOf,
    Compare,
    Comparison,
    Filter,
    Holds,
    Like,
    Linked,
    Links,
    Not,
    Search,
    Sets,
    Values,
    Within,
    conjuncts,
    group,
    within_one,
)

SET = "set_id:"
MIN_KEYWORD_CHARS = 2
MAX_DEPTH = 20
MAX_KEYWORD_CHARS = 1_000
MAX_CLAUSES = 500
MAX_LOOKS = 100
"""Clauses that look at the elements of a nest or at other documents: engines plan each by itself."""
MAX_PATTERNS = 1_000
MAX_PATTERN_CHARS = 500


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
_KNOWN = sorted({*_OPERATORS, *_GROUPS, *_NOT, "nested", "linked", "search"})
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

    def __init__(self, doc_type: DocType, links: Links, sets: Sets, counts: Counter[str] | None = None) -> None:
        self.doc_type = doc_type
        self.links = links
        self.sets = sets
        self.counts = Counter() if counts is None else counts

    def _count(self, what: str, most: int, advice: str) -> None:
        self.counts[what] += 1
        if self.counts[what] > most:
            raise BadRequest(f"The filter has more than {most} {what}; {advice}.")

    def parse(self, document: Any, at: str, nests: tuple[str, ...], depth: int) -> Filter:
        if document is None:
            return EVERYTHING
        if not isinstance(document, Mapping):
            raise BadRequest(f'{at} must be an object. Please check your syntax for input "filter" argument.')
        if depth > MAX_DEPTH:
            raise BadRequest(f"{at} is nested deeper than {MAX_DEPTH} levels.")
        if sqon.is_sqon(document):
            translated = sqon.translate(document, at, ".".join(nests))
            parts = [self._clause(key, value, f"{at}.content", nests, depth) for key, value in translated.items()]
        else:
            parts = [self._clause(key, value, _below(at, key), nests, depth) for key, value in document.items()]
            parts = _side_by_side(parts, [key in _COMPARISONS for key in document])
        return parts[0] if len(parts) == 1 else group(All, parts)

    def _count_clause(self) -> None:
        self._count("clauses", MAX_CLAUSES, "name many values in one IN instead")

    def _clause(self, key: str, value: Any, at: str, nests: tuple[str, ...], depth: int) -> Filter:
        if key not in _OPERATORS:
            self._count_clause()
        if key in _GROUPS:
            parts = self._list(value, at, nests, depth)
            if _GROUPS[key] is All:
                parts = _side_by_side(parts, [_is_comparison(each) for each in value])
            return group(_GROUPS[key], parts)
        if key in _NOT:
            return group(All, [Not(part) for part in self._list(value, at, nests, depth)])
        if key == "nested":
            return self._nested(value, at, nests, depth)
        if key == "linked":
            return self._linked(value, at, nests, depth)
        if key == "search":
            return self._search(value, at, nests)
        if key not in _OPERATORS:
            raise BadRequest(
                f"{at}: there is no operator {sqon.shown(key)}.{_hint(key, _KNOWN)} "
                'Please check your syntax for input "filter" argument.'
            )
        if not isinstance(value, Mapping) or not value:
            raise BadRequest(f"{at} must be an object of one field and its value.")
        return group(All, [self._leaf(key, name, each, _below(at, name), nests) for name, each in value.items()])

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
            raise BadRequest(f"{at}.path: {self.doc_type.name} has no nested field {sqon.shown(value['path'])} here.")
        rest = {key: each for key, each in value.items() if key != "path"}
        self._look()
        return Within(inner, self.parse(rest, at, inner, depth + 1))

    def _linked(self, value: Any, at: str, nests: tuple[str, ...], depth: int) -> Filter:
        if not isinstance(value, Mapping) or value.keys() - {"type", "field", "on", "filter"} or nests:
            raise BadRequest(f"{at} must be an object of type, field, on and filter, outside of nested clauses.")
        name, path = value.get("type"), value.get("field")
        found = self.links(name) if isinstance(name, str) else None
        if found is None:
            raise BadRequest(f"{at}.type: there is no document type {sqon.shown(name)}.")
        other, rights = found
        places = []
        for doc_type, key in ((self.doc_type, path), (other, value.get("on", path))):
            place = doc_type.find(key) if isinstance(key, str) else None
            if place is None or place.nests:
                raise BadRequest(f"{at}: {doc_type.name} has no field {sqon.shown(key)} to link by.")
            places.append(place)
        here, there = places
        if here.field.numeric != there.field.numeric:
            raise BadRequest(f"{at}: {here.path!r} and {there.path!r} are of different types.")
        self._look()
        parser = _Parser(other, self.links, self.sets, self.counts)
        return Linked(here, other, rights, there, parser.parse(value.get("filter"), f"{at}.filter", (), depth + 1))

    def _look(self) -> None:
        self._count("conditions on nested fields and links", MAX_LOOKS, "put those on one element into one `nested`")

    def _place(self, name: str, at: str, nests: tuple[str, ...]) -> Place:
        relative = self.doc_type.find(".".join((*nests, name)))
        place = relative or self.doc_type.find(name)
        if place is None or place.nests[: len(nests)] != nests:
            raise BadRequest(
                f"{at}: {self.doc_type.name} has no field {sqon.shown(name)}."
                f"{_hint(name, (each.path for each in self.doc_type.places()))} "
                'Please check your syntax for input "filter" argument.'
            )
        return place

    def _leaf(self, operator: str, name: str, value: Any, at: str, nests: tuple[str, ...]) -> Filter:
        self._count_clause()
        place = self._place(name, at, nests)
        if place.field.numeric:
            condition = _number(operator, place, value, at)
        else:
            condition = _text(operator, place, value, at, self.sets)
        if place.nests == nests:
            return condition
        self._look()
        if isinstance(condition, Not):
            return Not(Within(place.nests, condition.part))
        return Within(place.nests, condition)

    def _search(self, value: Any, at: str, nests: tuple[str, ...]) -> Filter:
        if not isinstance(value, Mapping) or not isinstance(value.get("keyword"), str):
            raise BadRequest(f"{at} must be an object with a keyword.")
        keyword = value["keyword"]
        if not MIN_KEYWORD_CHARS <= len(keyword) <= MAX_KEYWORD_CHARS:
            raise BadRequest(f"{at}.keyword must have {MIN_KEYWORD_CHARS} to {MAX_KEYWORD_CHARS} characters.")
        names = value.get("fields") or []
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BadRequest(f"{at}.fields must be a field or a list of fields.")
        places = [self._place(name, at, nests) for name in dict.fromkeys(names)]
        if not places:
            places = [place for place in self.doc_type.places() if place.nests == nests and not place.field.numeric]
        for place in places:
            if place.field.numeric or place.nests != nests:
                raise BadRequest(f"{at}.fields: {place.path!r} is not a text field at this level.")
        return Search(keyword, tuple(places))


def _side_by_side(parts: Sequence[Filter], bare: Sequence[bool]) -> list[Filter]:
    """Parts of an AND, where one element of a list meets all comparisons that stand in it by themselves.

    Parameters
    ----------
    bare
        Which of the parts are comparisons and nothing else.
    """
    found = [each for part, alone in zip(parts, bare, strict=True) if alone for each in conjuncts(part)]
    others = [part for part, alone in zip(parts, bare, strict=True) if not alone]
    others += [each for each in found if not isinstance(each, Compare)]
    return others + within_one([each for each in found if isinstance(each, Compare)])


def _is_comparison(document: Any) -> bool:
    return isinstance(document, Mapping) and document.keys() <= _COMPARISONS.keys()


def _hint(wanted: str, known: Iterable[str]) -> str:
    """What may have been meant."""
    known = list(known)
    inside = [each for each in known if each.endswith(f".{wanted}")]
    close = inside[:3] or difflib.get_close_matches(wanted[: sqon.MAX_ECHO_CHARS], known)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def _below(at: str, key: str) -> str:
    return f"{at}.{key[: sqon.MAX_ECHO_CHARS]}"


def _values(value: Any, at: str) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    for each in values:
        if each is None or isinstance(each, (dict, list)):
            raise BadRequest(f"{at}: a value must be text, a number or true/false, not {sqon.shown(each)}.")
    return values


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(operator: str, place: Place, value: Any, at: str, sets: Sets) -> Filter:
    values = [_as_text(each) for each in _values(value, at)]
    if operator in _HOLDS or operator in _LACKS:
        holds = Holds(place, Values(values))
        return holds if operator in _HOLDS else Not(holds)
    if operator in _LIKE:
        return _like(place, values, at)
    if operator in _TEXT_IN:
        return _among(place, values, at, sets)
    if operator in _TEXT_NOT_IN:
        return Not(_among(place, values, at, sets))
    raise BadRequest(f"{at}: operator {operator!r} does not apply to text.")


def _like(place: Place, patterns: Sequence[str], at: str) -> Filter:
    unique = tuple(dict.fromkeys(patterns))
    if len(unique) > MAX_PATTERNS or any(len(each) > MAX_PATTERN_CHARS for each in unique):
        raise BadRequest(f"{at} takes {MAX_PATTERNS} patterns of {MAX_PATTERN_CHARS} characters at most.")
    return Like(place, unique)


def _among(place: Place, values: Sequence[str], at: str, sets: Sets) -> Filter:
    named = list(dict.fromkeys(each for each in values if each.startswith(SET)))
    kept = Values(each for each in values if each != MISSING and not each.startswith(SET))
    missing = MISSING in values
    # A set is a part by itself, so that it is held once, however many filters name it.
    parts = [Among(place, kept, missing)] if kept or missing or not named else []
    for each in named:
        texts = sets.get(each.removeprefix(SET))
        if texts is None:
            raise BadRequest(f"{at}: you have no saved set {sqon.shown(each.removeprefix(SET))}.")
        parts.append(Among(place, texts))
    return group(AnyOf, parts)


def _as_number(value: Any, at: str) -> int | float:
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{at}: {sqon.shown(value)} is not a number.") from error
    # Python reads 1_000 as a number, and no engine does.
    if isinstance(value, bool) or not isfinite(number) or (isinstance(value, str) and "_" in value):
        raise BadRequest(f"{at}: {sqon.shown(value)} is not a number.")
    exact = value if isinstance(value, int) else int(number) if number.is_integer() else number
    # No engine has larger whole numbers; as a double it is as good.
    return exact if abs(exact) < 2**63 else number


def _number(operator: str, place: Place, value: Any, at: str) -> Filter:
    if operator in _COMPARISONS:
        if isinstance(value, list):
            raise BadRequest(f"{at}: operator {operator!r} takes one number.")
        return Compare(place, ((_COMPARISONS[operator], _as_number(_values(value, at)[0], at)),))
    values = _values(value, at)
    kept = Values(_as_number(each, at) for each in values if each != MISSING)
    among = Among(place, kept, missing=len(kept) < len(values))
    if operator in _IN:
        return among
    if operator in _NOT_IN:
        return Not(Among(place, kept, missing=True))
    raise BadRequest(f"{at}: operator {operator!r} does not apply to numbers.")
