"""The filter grammar: what is refused, what is dropped for a facet, and that counts equal a plain evaluation."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commonshub.core.errors import BadRequest
from commonshub.explore.duck.read import DuckReader
from commonshub.explore.filters import EVERYTHING, without
from commonshub.explore.grammar import parse
from commonshub.explore.requests import Bins, Count, Rows, Scope, Terms
from commonshub.explore.rights import Rights

from .model import PATHS, TYPE, elements, holds, linked_out, values_of
from .samples import DOCUMENTS, every_form, filters, parsed


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=every_form, access=st.sets(st.sampled_from(PATHS)))
def test_an_engine_keeps_what_a_plain_evaluation_keeps(reader: DuckReader, filter: Any, access: set[str]) -> None:
    readable = [document for document in DOCUMENTS if document["auth_resource_path"] in access]
    plain = linked_out(filter, readable)
    expected = [document for document in readable if holds(plain, document)]
    rights = Rights(frozenset(access))
    scope = Scope(TYPE, rights, parsed(filter, rights))
    count, rows = reader.answer([Count(scope), Rows(scope, ("_case_id",))])
    assert [row["_case_id"] for row in rows] == [document["_case_id"] for document in expected]
    assert count == len(expected)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filter=filters)
def test_facets_count_what_a_plain_evaluation_counts(reader: DuckReader, filter: Any) -> None:
    kept = [each for each in DOCUMENTS if each["auth_resource_path"] in PATHS and holds(filter, each)]
    scope = Scope(TYPE, Rights(frozenset(PATHS)), parsed(filter, Rights(frozenset(PATHS))))
    paths = ["sex", "tags", "age", "stays.ward", "stays.visits.place"]
    places = [place for path in paths if (place := TYPE.find(path))]
    answers = reader.answer([Terms(scope, place) for place in places])
    for place, found in zip(places, answers, strict=True):
        expected: dict[Any, int] = {}
        for document in kept:
            for element in elements(document, place.nests):
                for value in values_of(element, place.field.name) or [None]:
                    expected[value] = expected.get(value, 0) + 1
        assert {bucket.key: bucket.count for bucket in found} == expected
        keyed = [bucket for bucket in found if bucket.key is not None]
        assert [bucket.count for bucket in keyed] == sorted((bucket.count for bucket in keyed), reverse=True)


LOW, HIGH = {">": {"marks": -1}}, {"<": {"marks": 3}}


@pytest.mark.parametrize(
    ("filter", "kept"),
    [
        ({"AND": [LOW, HIGH]}, [[1], [0, 2], [2, 2], [-1, 0, 3]]),
        ({**LOW, **HIGH}, [[1], [0, 2], [2, 2], [-1, 0, 3]]),
        ({"AND": [LOW, HIGH, {">=": {"marks": 1}}]}, [[1], [0, 2], [2, 2]]),
        ({"AND": [{"AND": [LOW]}, HIGH]}, [[-1, 3], [1], [0, 2], [2, 2], [-1, 0, 3]]),
        ({"op": "between", "content": {"fieldName": "marks", "value": [2, 1]}}, [[1], [0, 2], [2, 2]]),
        (
            {"op": "and", "content": [
                {"op": op, "content": {"fieldName": "marks", "value": value}} for op, value in (("gt", -1), ("lt", 3))
            ]},
            [[-1, 3], [1], [0, 2], [2, 2], [-1, 0, 3]],
        ),
        ({"OR": [{">": {"marks": 2}}, {"<": {"marks": 0}}]}, [[-1, 3], [-1, 0, 3]]),
    ],
)  # fmt: skip
def test_one_element_of_a_list_is_within_a_range(reader: DuckReader, filter: Any, kept: list[list[int]]) -> None:
    rows = Rows(Scope(TYPE, Rights(frozenset(), "public"), parse(filter, TYPE)), ("marks",))
    found = [each["marks"] for chunk in reader.scan(rows, 1000) for each in chunk]
    assert found == [each["marks"] for each in DOCUMENTS if each["marks"] in kept]


def test_bins_hold_every_number_once(reader: DuckReader) -> None:
    place = TYPE.find("age")
    assert place is not None
    scope = Scope(TYPE, Rights(frozenset(PATHS)))
    (found,) = reader.answer([Bins(scope, place, step=2)])
    ages = [each["age"] for each in DOCUMENTS if each["auth_resource_path"] in PATHS and each["age"] is not None]
    assert sum(bucket.count for bucket in found) == len(ages)
    assert sum(bucket.total for bucket in found) == sum(ages)


@pytest.mark.parametrize(
    ("filter", "told"),
    [
        ([], "filter"),
        ({"sex": "x"}, "filter.sex"),
        ({"AND": [{"=": {"sex": "x"}}, {"=": {"nope": "x"}}]}, "filter.AND[1].=.nope"),
        ({"exclude_any": {"sex": "x"}}, "'excludes_any'"),
        ({"=": {"project": "x"}}, "Did you mean 'project_id'?"),
        ({"=": {"ward": "x"}}, "'stays.ward'"),
        ({"=": "x"}, "filter.="),
        ({"=": {"sex": {"a": 1}}}, "filter.=.sex"),
        ({">": {"age": [1, 2]}}, "filter.>.age"),
        ({">": {"age": True}}, "True"),
        *(({">": {"age": text}}, f"{text!r} is not a number") for text in ("NaN", "-inf", "1_000")),
        ({">": {"sex": 1}}, "does not apply to text"),
        ({"contains_any": {"age": 1}}, "does not apply to numbers"),
        ({"nested": {"path": "sex", "=": {"sex": "x"}}}, "nested"),
        ({"nested": {"=": {"sex": "x"}}}, "nested"),
        ({"nested": {"path": "stays", "=": {"sex": "x"}}}, "sex"),
        ({"search": {"keyword": "xx", "fields": ["age"]}}, "age"),
        ({"search": {"keyword": "xx", "fields": 5}}, "fields"),
        ({"search": "xx"}, "keyword"),
    ],
    ids=str,
)
def test_a_wrong_filter_is_refused_with_its_place(filter: Any, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(filter, TYPE)
    assert told in caught.value.message


def test_depth_and_size_are_limited() -> None:
    deep: Any = {"=": {"sex": "x"}}
    for _ in range(30):
        deep = {"AND": [deep]}
    with pytest.raises(BadRequest):
        parse(deep, TYPE)
    with pytest.raises(BadRequest):
        parse({"OR": [{"=": {"sex": "x"}}] * 3000}, TYPE)


MALE, OLD = {"=": {"sex": "male"}}, {">": {"age": 60}}
WARD = {"=": {"ward": "x"}}


@pytest.mark.parametrize(
    ("filter", "path", "rest"),
    [
        (MALE, "sex", {}),
        (MALE, "age", MALE),
        ({"AND": [MALE, OLD]}, "sex", OLD),
        ({"OR": [MALE, OLD]}, "sex", OLD),
        ({"AND": [{"OR": [MALE, MALE]}, OLD]}, "sex", OLD),
        ({"!=": {"sex": "x"}}, "sex", {}),
        ({"nested": {"path": "stays", **WARD}}, "stays.ward", {}),
        ({"nested": {"path": "stays", "AND": [WARD, {">": {"days": 1}}]}}, "stays.ward",
         {"nested": {"path": "stays", ">": {"days": 1}}}),
        ({"search": {"keyword": "male"}}, "sex", {"search": {"keyword": "male"}}),
    ],
    ids=str,
)  # fmt: skip
def test_without_drops_only_the_clauses_of_one_field(filter: Any, path: str, rest: Any) -> None:
    assert without(parse(filter, TYPE), path) == parse(rest, TYPE)


@pytest.mark.parametrize("filter", [None, {}, {"AND": []}, {"OR": []}, {"AND": [{}, {"OR": []}]}], ids=str)
def test_empty_filters_restrict_nothing(filter: Any) -> None:
    assert parse(filter, TYPE) == EVERYTHING
