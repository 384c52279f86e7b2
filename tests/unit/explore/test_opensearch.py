"""Names of indexes, and how questions become few searches."""

from typing import Any

import pytest

from commonshub.core.errors import CommonsError
from commonshub.explore.opensearch.layout import facts_of, index_of, run_of
from commonshub.explore.opensearch.steps import MAX_BUCKETS, Measure, Page, Search, Steps, side_by_side
from commonshub.explore.requests import Scope
from commonshub.explore.rights import Rights

from .model import TYPE


@pytest.mark.parametrize("doc_type", ["case", "Case", "cASE", "_case_2"])
def test_an_index_is_found_by_its_run(doc_type: str) -> None:
    index = index_of("commons", doc_type, 17)
    assert index == index.lower()
    assert run_of("commons", index) == run_of("commons", facts_of("commons", 17)) == 17


def test_types_that_differ_by_capitals_have_indexes_of_their_own() -> None:
    assert len({index_of("commons", name, 1) for name in ("case", "Case", "caSe", "_case")}) == 4


@pytest.mark.parametrize(
    "index", ["commons-case", "commons2-case-1", "other-commons-case-1", "commons-a-case-1", "case"]
)
def test_indexes_of_others_are_left_alone(index: str) -> None:
    assert run_of("commons", index) is None


ALL, OWN = (Scope(TYPE, Rights(frozenset(paths))) for paths in ({"/a", "/b"}, {"/a"}))


def test_what_is_asked_of_the_same_documents_is_one_search() -> None:
    sent: list[list[Search]] = []

    def send(searches: list[Search]) -> list[dict[str, Any] | CommonsError]:
        sent.append(searches)
        return [{"aggregations": body.get("aggs", {}), "hits": {"hits": [body.get("size")]}} for _, body in searches]

    def ask(scope: Scope, name: str, rounds: int, buckets: int = 1) -> Steps[Any]:
        for _ in range(rounds):
            (answer,) = yield [Measure(scope, {name: {}}, buckets)]
        return answer

    def page() -> Steps[Any]:
        (hits,) = yield [Page(ALL, {"size": 3})]
        return hits

    steps = [ask(ALL, "x", 1), ask(OWN, "y", 2), ask(ALL, "z", 1), page(), ask(ALL, "large", 1, MAX_BUCKETS)]
    assert side_by_side(steps, send) == [{"x": {}}, {"y": {}}, {"z": {}}, [3], {"large": {}}]
    assert [[len(body.get("aggs", ())) for _, body in searches] for searches in sent] == [[2, 1, 0, 1], [1]]


def test_rights_are_a_clause_of_their_own_in_every_search() -> None:
    def send(searches: list[Search]) -> list[dict[str, Any] | CommonsError]:
        for _, body in searches:
            assert body["query"]["bool"]["filter"][0] == {"terms": {"auth_resource_path": ["/a"]}}
        return [{"aggregations": {"a0": None}, "hits": {"hits": []}} for _ in searches]

    def ask() -> Steps[None]:
        yield [Measure(OWN, {}), Page(OWN, {"query": {"match_all": {}}})]

    side_by_side([ask()], send)
