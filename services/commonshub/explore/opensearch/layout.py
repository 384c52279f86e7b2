"""How the documents of a run lie in OpenSearch.

Each document type of each run is an index of its own, ``PREFIX-TYPE-RUN``; ``PREFIX-RUN`` has the facts of a run and
is written last, so that a run whose facts are there is whole. An index is never changed after that.

Fields have the names of the catalogue. Names of GraphQL have no ``#``, so it marks what is kept beside them for
counting, and never shown:

``#``
    Number of the document in its type; it decides the order where nothing else does.
``#NAME`` of a list of texts
    Number of its elements: OpenSearch keeps each value once.
``#NAME`` of a list of numbers
    Its elements as nested objects with one field ``v``, for statistics of those in a range.
``##NAME`` of a list of numbers
    Its different values: OpenSearch keeps each as often as it is there, and a page of values counts it as often.
"""

import re
from collections.abc import Callable
from typing import Any

from ..catalog import DocType, Field, Kind, Nest, Place

NUMBER = "#"
ELEMENT = "v"
LOWER = "lower"
"""Subfield of texts in lower case, for searches."""

MAX_TEXT_CHARS = 8_191
"""Longer texts are shown, but not searched: Lucene takes 32,766 bytes, and a character has four at most."""
MAX_TERMS = 1_000_000
"""Values that one clause of a filter may name."""

_NUMBERS: dict[Kind, str] = {"integer": "long", "number": "double"}


def index_of(prefix: str, doc_type: str, run: int) -> str:
    """The index of a document type of a run; names of indexes have no capitals."""
    return f"{alias_of(prefix, doc_type)}-{run}"


def alias_of(prefix: str, doc_type: str) -> str:
    """The name under which others find the active index of a document type."""
    return f"{prefix}-{re.sub('[A-Z]', lambda found: '.' + found[0].lower(), doc_type)}"


def facts_of(prefix: str, run: int) -> str:
    """The index with the facts of a run."""
    return f"{prefix}-{run}"


def run_of(prefix: str, index: str) -> int | None:
    """The run that an index belongs to; None for one that is not ours."""
    found = re.fullmatch(rf"{re.escape(prefix)}-(?:[a-z0-9_.]+-)?([0-9]+)", index)
    return int(found[1]) if found else None


def beside(field: Field) -> str:
    """The name of what is kept beside a list."""
    return f"#{field.name}"


def values_of(place: Place) -> str:
    """The path of a field's values, each once in an element."""
    if place.field.array and place.field.numeric:
        return ".".join((*place.nests, f"#{beside(place.field)}"))
    return place.path


def counter_of(place: Place) -> str:
    """The path of what is kept beside a list."""
    return ".".join((*place.nests, beside(place.field)))


def mapping_of(doc_type: DocType) -> dict[str, Any]:
    """The mapping of a document type."""
    properties = {NUMBER: {"type": "long"}, **_properties(doc_type)}
    return {"dynamic": "strict", "_source": {"excludes": ["#*", "*.#*"]}, "properties": properties}


def _properties(nest: Nest) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in nest.fields:
        found[field.name] = _type_of(field.kind)
        if field.array and field.numeric:
            found[beside(field)] = {"type": "nested", "properties": {ELEMENT: _type_of(field.kind)}}
            found[f"#{beside(field)}"] = {**_type_of(field.kind), "index": False}
        elif field.array:
            found[beside(field)] = {"type": "long", "index": False}
    for child in nest.nests:
        found[child.name] = {"type": "nested", "properties": _properties(child)}
    return found


def _type_of(kind: Kind) -> dict[str, Any]:
    if kind in _NUMBERS:
        return {"type": _NUMBERS[kind]}
    text = {"type": "keyword", "ignore_above": MAX_TEXT_CHARS}
    return {**text, "fields": {LOWER: {**text, "normalizer": "lowercase", "doc_values": False}}}


Row = dict[str, Any]


def stored(doc_type: DocType) -> Callable[[int, Row], Row]:
    """What makes a document of a run into one of an index; a missing value is left out."""
    inner = _stored(doc_type)
    return lambda number, row: {NUMBER: number, **inner(row)}


def _stored(nest: Nest) -> Callable[[Row], Row]:
    texts = [(field.name, beside(field)) for field in nest.fields if field.array and not field.numeric]
    numbers = [(field.name, beside(field)) for field in nest.fields if field.array and field.numeric]
    doubles = [field.name for field in nest.fields if field.kind == "number"]
    children = [(child.name, _stored(child)) for child in nest.nests]

    def of(row: Row) -> Row:
        found = {name: value for name, value in row.items() if value is not None}
        for name in doubles:
            if name in found:
                found[name] = _unsigned_zero(found[name])
        for name, beside_it in texts:
            found[beside_it] = len(found.get(name, ()))
        for name, beside_it in numbers:
            elements = found.get(name, ())
            found[beside_it] = [{ELEMENT: value} for value in elements]
            found[f"#{beside_it}"] = list(dict.fromkeys(elements))
        for name, child in children:
            found[name] = [child(element) for element in found.get(name, ())]
        return found

    return of


def _unsigned_zero(value: Any) -> Any:
    """A number or a list of them; to Lucene -0.0 is another number than 0.0."""
    if isinstance(value, list):
        return [_unsigned_zero(each) for each in value]
    return None if value is None else value + 0.0


def shown(nest: Nest, names: tuple[str, ...]) -> Callable[[Row], Row]:
    """What makes a document of an index into one as it was built, with the named fields and nests in this order."""
    nests = {child.name: shown(child, child.names) for child in nest.nests}

    def of(source: Row) -> Row:
        return {
            name: [nests[name](each) for each in source.get(name, ())] if name in nests else source.get(name)
            for name in names
        }

    return of
