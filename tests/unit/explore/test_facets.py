"""Facets that are blind for their own clause, all asked together, count what a plain evaluation counts."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commonshub.explore.duck.facets import blocks_of
from commonshub.explore.duck.read import DuckReader
from commonshub.explore.filters import All, without
from commonshub.explore.grammar import parse
from commonshub.explore.requests import Scope, Terms
from commonshub.explore.rights import Rights

from .model import PATHS, TYPE, holds, values_of
from .samples import DOCUMENTS

FIELDS = ["sex", "age", "tags", "project_id"]
CLAUSES = {
    "sex": [{"=": {"sex": "x"}}, {"!=": {"sex": ["y"]}}, {"IN": {"sex": ["x", "no data"]}}],
    "age": [{">": {"age": 0}}, {"AND": [{">=": {"age": 0}}, {"<=": {"age": 2}}]}, {"!=": {"age": 1}}],
    "tags": [{"=": {"tags": "x"}}, {"CONTAINS_ALL": {"tags": ["x", "y"]}}],
    "project_id": [{"=": {"project_id": "p-a"}}],
}
chosen = st.lists(
    st.sampled_from(FIELDS).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(CLAUSES[name]))), max_size=5
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clauses=chosen)
def test_a_facet_is_blind_for_its_own_clauses_only(reader: DuckReader, clauses: Any) -> None:
    filter = parse({"AND": [clause for _, clause in clauses]}, TYPE)
    questions = []
    for name in FIELDS:
        place = TYPE.find(name)
        assert place is not None
        questions.append(Terms(Scope(TYPE, Rights(frozenset(PATHS)), without(filter, name)), place))
        questions.append(Terms(Scope(TYPE, Rights(frozenset(PATHS)), filter), place))
    answers = reader.answer(questions)
    for number, answer in enumerate(answers):
        name, blind = FIELDS[number // 2], number % 2 == 0
        kept = [clause for about, clause in clauses if not (blind and about == name)]
        expected: dict[Any, int] = {}
        for document in DOCUMENTS:
            if document["auth_resource_path"] in PATHS and holds({"AND": kept}, document):
                for value in values_of(document, name) or [None]:
                    expected[value] = expected.get(value, 0) + 1
        assert {bucket.key: bucket.count for bucket in answer} == expected


A, B, C = (parse({"=": {"sex": word}}, TYPE) for word in "abc")


@pytest.mark.parametrize(
    ("filters", "blocks", "lacking"),
    [
        ([All((A, B))], [All((A, B))], {}),
        ([All((A, B)), A], [All((A,)), All((B,))], {1: 1}),
        ([All((A, B, C)), All((A, B)), All((A, C))], [All((A,)), All((B,)), All((C,))], {2: 1, 1: 2}),
        ([All((A, B, C)), A], [All((A,)), All((B, C))], {1: 1}),
        ([All((A, B, C)), A, All((A, B))], [All((A,))], {}),
        ([All((A, B)), All()], [All(), All((A, B))], {1: 1}),
    ],
    ids=["one", "part", "parts", "rest", "overlapping", "nothing"],
)
def test_filters_are_taken_apart_into_blocks(filters: Any, blocks: Any, lacking: Any) -> None:
    assert blocks_of(filters) == (blocks, lacking)
