"""GraphQL texts of the client's own queries. Names are checked, values always travel as variables."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import Refused

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_OPERATORS = frozenset(
    {"and", "or", "nested", "search", "=", "eq", "in", "contains_any", "contains_all", "!=", "excludes_any"}
    | {"excludes_all", ">", "gt", ">=", "gte", "<", "lt", "<=", "lte"}
)

MAX_WINDOW_ROWS = 10_000  # what the flat query answers at most; more comes from its download route

Filter = Mapping[str, Any]
Sort = str | Sequence[str]


def name(text: str, what: str = "name") -> str:
    """The text, if it can stand in a query.

    Raises
    ------
    Refused
        It is no GraphQL name.
    """
    if not _NAME.fullmatch(text):
        raise Refused(f"{text!r} is not a {what}: it may hold only letters, digits and underscores.")
    return text


def selection(fields: Iterable[str]) -> str:
    """The selection of dotted fields: ``["a", "b.c", "b.d"]`` gives ``a b { c d }``."""
    tree: dict[str, Any] = {}
    for each in fields:
        at = tree
        for part in each.split("."):
            at = at.setdefault(name(part, "field"), {})
    if not tree:
        raise Refused("Name at least one field.")
    return _written(tree)


def _written(tree: Mapping[str, Any]) -> str:
    return " ".join(f"{part} {{ {_written(below)} }}" if below else part for part, below in tree.items())


def flat_query(doc_type: str, fields: Sequence[str], first: int, offset: int, accessibility: str) -> str:
    """The query of one window of rows, with the number of all that match."""
    name(doc_type, "document type")
    name(accessibility, "kind of accessibility")
    return (
        "query($filter: JSON, $sort: JSON) { "
        f"{doc_type}(first: {int(first)}, offset: {int(offset)}, accessibility: {accessibility}, "
        f"filter: $filter, sort: $sort) {{ {selection(fields)} }} "
        f"_aggregation {{ {doc_type}(filter: $filter, accessibility: {accessibility}) {{ _totalCount }} }} }}"
    )


def histogram_query(doc_type: str, field: str, accessibility: str) -> str:
    """The query that counts the documents of each value of a field."""
    name(doc_type, "document type")
    name(accessibility, "kind of accessibility")
    inner = "".join(f"{name(part, 'field')} {{ " for part in field.split("."))
    return (
        "query($filter: JSON) { _aggregation { "
        f"{doc_type}(filter: $filter, accessibility: {accessibility}) {{ {inner}asTextHistogram {{ key count }} "
        f"{'} ' * (field.count('.') + 1)}}} }} }}"
    )


def filter_of(given: Filter | None) -> dict[str, Any] | None:
    """A filter in the grammar of the flat query.

    Besides that grammar itself, ``{"sex": "female", "stage": ["I", "II"]}`` asks for all of these to hold.
    """
    if not given:
        return None
    if len(given) == 1 and next(iter(given)).lower() in _OPERATORS:
        return dict(given)
    return {
        "AND": [{"in": {key: list(value)}} if _several(value) else {"=": {key: value}} for key, value in given.items()]
    }


def sort_of(given: Sort | None) -> list[dict[str, str]] | None:
    """``"-age"`` or ``["stage", "-age"]`` as the flat query takes it."""
    if not given:
        return None
    names = [given] if isinstance(given, str) else list(given)
    return [{each.removeprefix("-"): "desc" if each.startswith("-") else "asc"} for each in names]


def _several(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset)
