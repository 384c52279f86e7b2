"""GraphQL texts that the client writes."""

from typing import Any

import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from commonshub.client import Refused
from commonshub.client.selection import filter_of, flat_query, histogram_query, selection, sort_of

names = st.from_regex(r"[_A-Za-z][_0-9A-Za-z]{0,8}", fullmatch=True)


def test_dotted_fields_are_nested() -> None:
    assert selection(["a", "b.c", "b.d.e"]) == "a b { c d { e } }"


@given(names, st.lists(names, min_size=1), st.integers(0, 10_000), st.integers(0, 10_000))
def test_flat_queries_are_graphql(doc_type: str, fields: list[str], first: int, offset: int) -> None:
    parse(flat_query(doc_type, fields, first, offset, "accessible"))


@given(names, st.lists(names, min_size=1, max_size=3))
def test_histogram_queries_are_graphql(doc_type: str, parts: list[str]) -> None:
    parse(histogram_query(doc_type, ".".join(parts), "all"))


@pytest.mark.parametrize("text", ["", "a b", "a}", "a{b}", "1a", "ä", "a\n", "a-b"])
def test_nothing_but_names_gets_into_a_query(text: str) -> None:
    with pytest.raises(Refused):
        flat_query(text, ["a"], 1, 0, "all")
    with pytest.raises(Refused):
        selection([text])


@pytest.mark.parametrize(
    ("given_filter", "expected"),
    [
        (None, None),
        ({}, None),
        ({"sex": "female"}, {"AND": [{"=": {"sex": "female"}}]}),
        ({"sex": "female", "stage": ["I", "II"]}, {"AND": [{"=": {"sex": "female"}}, {"in": {"stage": ["I", "II"]}}]}),
        ({"AND": [{"=": {"a": 1}}]}, {"AND": [{"=": {"a": 1}}]}),
        ({">": {"age": 3}}, {">": {"age": 3}}),
    ],
)
def test_filters_may_be_written_plainly(given_filter: Any, expected: Any) -> None:
    assert filter_of(given_filter) == expected


@pytest.mark.parametrize(
    ("sort", "expected"), [(None, None), ("a", [{"a": "asc"}]), (["a", "-b.c"], [{"a": "asc"}, {"b.c": "desc"}])]
)
def test_sorting_may_be_written_plainly(sort: Any, expected: Any) -> None:
    assert sort_of(sort) == expected
