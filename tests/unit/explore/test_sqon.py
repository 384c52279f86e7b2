"""Arranger's filters, in the words of Guppy's."""

from typing import Any

import pytest

from commonshub.core.errors import BadRequest
from commonshub.explore.grammar import parse

from .model import TYPE


def leaf(op: str, name: str, value: Any) -> Any:
    return {"op": op, "content": {"fieldName": name, "value": value}}


def group(op: str, *content: Any, **more: Any) -> Any:
    return {"op": op, "content": list(content), **more}


X = {"=": {"sex": "x"}}


@pytest.mark.parametrize(
    ("sqon", "guppy"),
    [
        (group("and"), {}),
        (leaf("in", "sex", ["x"]), X),
        (leaf("=", "sex", "x"), X),
        ({"op": "in", "content": {"field": "sex", "value": "x"}}, X),
        (leaf("in", "sex", ["x", "__missing__"]), {"IN": {"sex": ["x", "no data"]}}),
        (leaf("in", "sex", ["x*"]), {"like": {"sex": ["x*"]}}),
        (leaf("in", "sex", ["x*", "y"]), {"OR": [{"like": {"sex": ["x*"]}}, {"IN": {"sex": ["y"]}}]}),
        (leaf("not-in", "sex", ["x"]), {"NOT": [X]}),
        (leaf("!=", "age", [1]), {"NOT": [{"=": {"age": 1}}]}),
        (leaf("all", "tags", ["x", "y"]), {"CONTAINS_ALL": {"tags": ["x", "y"]}}),
        (leaf("gt", "age", [1]), {">": {"age": 1}}),
        (leaf("<=", "age", 1), {"<=": {"age": 1}}),
        (leaf("between", "age", [1, 3]), {"AND": [{">=": {"age": 1}}, {"<=": {"age": 3}}]}),
        (leaf("between", "stays.days", [1, 3]),
         {"nested": {"path": "stays", "AND": [{">=": {"days": 1}}, {"<=": {"days": 3}}]}}),
        (leaf("some-not-in", "stays.ward", ["x"]), {"nested": {"path": "stays", "NOT": [{"=": {"ward": "x"}}]}}),
        (group("and", leaf("some-not-in", "stays.ward", ["x"]), pivot="stays"),
         {"nested": {"path": "stays", "NOT": [{"=": {"ward": "x"}}]}}),
        ({"op": "filter", "content": {"fieldNames": ["sex"], "value": "*ab*"}},
         {"search": {"keyword": "ab", "fields": ["sex"]}}),
        (group("or", leaf("in", "sex", "x"), leaf("gt", "age", 1)), {"OR": [X, {">": {"age": 1}}]}),
        (group("not", leaf("in", "sex", "x"), leaf("gt", "age", 1)), {"NOT": [X, {">": {"age": 1}}]}),
        (group("and", leaf("in", "stays.ward", "x"), leaf("gt", "stays.days", 1), pivot="stays"),
         {"nested": {"path": "stays", "AND": [{"=": {"ward": "x"}}, {">": {"days": 1}}]}}),
        (group("and", group("or", leaf("in", "stays.ward", "x"), pivot="stays"), pivot="stays"),
         {"nested": {"path": "stays", "OR": [{"=": {"ward": "x"}}]}}),
        ({"AND": [X, leaf("gt", "age", 1)]}, {"AND": [X, {">": {"age": 1}}]}),
    ],
    ids=str,
)  # fmt: skip
def test_a_sqon_means_what_guppys_filter_means(sqon: Any, guppy: Any) -> None:
    assert parse(sqon, TYPE) == parse(guppy, TYPE)


@pytest.mark.parametrize(
    ("sqon", "told"),
    [
        (leaf("nearly", "sex", "x"), "nearly"),
        (leaf("between", "age", [1]), "between"),
        (leaf("gt", "age", [1, 2]), "gt"),
        ({"op": "in", "content": {"fieldName": "sex"}}, "value"),
        ({"op": "in", "content": 5}, "content"),
        ({"op": "and", "content": {}}, "list"),
        ({"op": ["and"], "content": []}, "op"),
        ({"op": "filter", "content": {"fieldNames": ["sex"], "value": 5}}, "text"),
        (group("and", leaf("in", "sex", "x"), leaf("in", "nope", "x")), "filter.content[1].content.nope"),
        (group("and", leaf("in", "sex", "x"), pivot="nope"), "filter.content.path"),
    ],
    ids=str,
)
def test_a_wrong_sqon_is_refused(sqon: Any, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(sqon, TYPE)
    assert told in caught.value.message
