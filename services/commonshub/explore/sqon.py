"""Arranger's filters, SQON, in the words of Guppy's grammar.

``{"op": "and" | "or" | "not", "content": [sqon, …], "pivot": path}`` groups; ``{"op": op, "content": {"fieldName": f,
"value": v}}`` compares. A pivot says in which nested field one element has to meet all of a group.
"""

from collections.abc import Mapping
from typing import Any

from commonshub.core.errors import BadRequest

from .catalog import MISSING

NO_VALUE = "__missing__"
MAX_ECHO_CHARS = 60

_GROUPS = {"and": "AND", "or": "OR", "not": "NOT"}
_COMPARISONS = {"gt": ">", ">": ">", "gte": ">=", ">=": ">=", "lt": "<", "<": "<", "lte": "<=", "<=": "<="}
_IN, _NOT_IN = frozenset({"in", "="}), frozenset({"not-in", "!="})
_SEARCH = frozenset({"wildcard", "filter"})


def is_sqon(document: Mapping[str, Any]) -> bool:
    """Whether a filter is written so."""
    return "op" in document and "content" in document


def shown(value: Any) -> str:
    """A value that was sent, as far as an error repeats it."""
    text = repr(value[:MAX_ECHO_CHARS] if isinstance(value, str) else value)
    return text if len(text) <= 2 * MAX_ECHO_CHARS else f"{text[:MAX_ECHO_CHARS]}…"


def translate(document: Mapping[str, Any], at: str, nest: str = "") -> dict[str, Any]:
    """One level of a SQON in Guppy's grammar; what lies below stays as it is.

    Parameters
    ----------
    at
        Where it is, for messages.
    nest
        Dotted path of the nested field that the clause speaks about already.

    Raises
    ------
    BadRequest
        Names what is wrong.
    """
    op, content, pivot = document["op"], document["content"], document.get("pivot")
    if not isinstance(op, str):
        raise BadRequest(f"{at}.op must be a text.")
    if op in _GROUPS:
        if not isinstance(content, list):
            raise BadRequest(f"{at}.content must be a list of filters.")
        group = {_GROUPS[op]: content}
        return {"nested": {"path": pivot, **group}} if pivot and pivot not in (".", nest) else group
    if not isinstance(content, Mapping):
        raise BadRequest(f"{at}.content must be an object of fieldName and value.")
    if op in _SEARCH:
        return _search(content, at)
    name = content.get("fieldName", content.get("field"))
    if not isinstance(name, str) or "value" not in content:
        raise BadRequest(f"{at}.content must have a fieldName and a value.")
    values = content["value"] if isinstance(content["value"], list) else [content["value"]]
    return _compared(op, name, values, at, nest)


def _compared(op: str, name: str, values: list[Any], at: str, nest: str) -> dict[str, Any]:
    if op in _IN:
        return _among(name, values)
    if op in _NOT_IN:
        return {"NOT": [_among(name, values)]}
    if op == "some-not-in":
        return _of_one(name, {"NOT": [_among(name, values)]}, nest)
    if op == "all":
        return {"CONTAINS_ALL": {name: values}}
    if op == "between" and len(values) == 2:
        if all(isinstance(value, int | float) for value in values):
            values = sorted(values)
        return _of_one(name, {"AND": [{">=": {name: values[0]}}, {"<=": {name: values[1]}}]}, nest)
    if op in _COMPARISONS and len(values) == 1:
        return {_COMPARISONS[op]: {name: values[0]}}
    raise BadRequest(f"{at}: there is no operator {shown(op)} for {len(values)} values.")


def _of_one(name: str, clause: dict[str, Any], nest: str) -> dict[str, Any]:
    """A clause of which one and the same element has to meet every part."""
    path, _, _ = name.rpartition(".")
    return clause if path in ("", nest) else {"nested": {"path": path, **clause}}


def _among(name: str, values: list[Any]) -> dict[str, Any]:
    patterns: list[Any] = []
    exact: list[Any] = []
    for value in values:
        pattern = isinstance(value, str) and "*" in value
        (patterns if pattern else exact).append(MISSING if value == NO_VALUE else value)
    if not patterns:
        return {"IN": {name: exact}}
    like: dict[str, Any] = {"like": {name: patterns}}
    return {"OR": [like, {"IN": {name: exact}}]} if exact else like


def _search(content: Mapping[str, Any], at: str) -> dict[str, Any]:
    fields, value = content.get("fieldNames", content.get("fields", [])), content.get("value")
    if not isinstance(value, str):
        raise BadRequest(f"{at}.content.value must be a text to search for.")
    return {"search": {"keyword": value.strip("*"), "fields": fields}}
