"""The official SDK and the portal's own queries, answered by a real explore service."""

from typing import Any

import pytest
from gen3.query import Gen3Query
from tests.integration.explore.conftest import Explorer, explorer, graph
from tests.opensearch import engine
from tests.tokens import Bearer

__all__ = ["engine", "explorer", "graph"]


@pytest.fixture(scope="module")
def sdk(explorer: Explorer) -> Gen3Query:
    return Gen3Query(Bearer(explorer.url, explorer._token("all")))


def test_query_with_filters_and_sort(sdk: Gen3Query) -> None:
    found = sdk.query(
        "case", ["submitter_id", "age"], filters={"project_id": "P-one"}, sort_object={"submitter_id": "desc"}, first=2
    )
    assert found == {"data": {"case": [{"submitter_id": "c3", "age": None}, {"submitter_id": "c2", "age": 40}]}}


def test_query_with_a_filter_object(sdk: Gen3Query) -> None:
    found = sdk.query("case", ["submitter_id"], filter_object={"AND": [{">": {"age": 50}}, {"!=": {"sex": "female"}}]})
    assert found == {"data": {"case": [{"submitter_id": "c4"}]}}


def test_query_far_beyond_the_first_rows_is_a_download(sdk: Gen3Query) -> None:
    found = sdk.query("case", ["submitter_id"], first=10_000, offset=1, sort_object={"submitter_id": "asc"})
    assert [each["submitter_id"] for each in found["data"]["case"]] == ["c2", "c3", "c4"]


def test_graphql_query(sdk: Gen3Query) -> None:
    found = sdk.graphql_query("query($f: JSON) { _aggregation { case(filter: $f) { _totalCount } } }", {"f": None})
    assert found == {"data": {"_aggregation": {"case": {"_totalCount": 4}}}}


def test_raw_data_download(sdk: Gen3Query) -> None:
    found = sdk.raw_data_download(
        data_type="case",
        fields=["submitter_id", "_samples_count"],
        filter_object={"=": {"project_id": "P-one"}},
        sort_fields=[{"submitter_id": "asc"}],
        accessibility="accessible",
        first=2,
        offset=1,
    )
    assert found == [{"submitter_id": "c2", "_samples_count": 1}, {"submitter_id": "c3", "_samples_count": 0}]


FACETS = """query ($filter: JSON) { _aggregation { case(filter: $filter, filterSelf: false,
  accessibility: all) { sex { histogram { key count } } age { histogram { key count } asTextHistogram { key count } }
  samples { sample_type { histogram { key count } } } } } }"""
TABLE = """query ($sort: JSON, $filter: JSON) { case(accessibility: accessible, offset: 0, first: 20, sort: $sort,
  filter: $filter) { submitter_id samples { sample_type } } _aggregation { case(filter: $filter,
  accessibility: accessible) { _totalCount } } }"""
FILTER = {"AND": [{"IN": {"sex": ["female"]}}, {"AND": [{">=": {"age": 10}}, {"<=": {"age": 70}}]}]}


def test_the_portals_facets(explorer: Explorer) -> None:
    found = explorer.query(FACETS, filter=FILTER)["_aggregation"]["case"]
    assert found["sex"]["histogram"] == [{"key": "female", "count": 1}, {"key": "male", "count": 1}]
    assert found["age"]["histogram"] == [{"key": [61, 61], "count": 1}]
    assert found["age"]["asTextHistogram"] == [{"key": "61", "count": 1}]
    assert sum(each["count"] for each in found["samples"]["sample_type"]["histogram"]) == 2


@pytest.mark.parametrize(("filter", "total"), [(FILTER, 1), ({"AND": []}, 4), ({}, 4)], ids=str)
def test_the_portals_table_with_its_total(explorer: Explorer, filter: Any, total: int) -> None:
    found = explorer.query(TABLE, filter=filter, sort=[{"submitter_id": "asc"}])
    assert (len(found["case"]), found["_aggregation"]["case"]["_totalCount"]) == (total, total)


def test_the_portals_first_question(explorer: Explorer) -> None:
    assert "submitter_id" in explorer.query("{ _mapping { case } }")["_mapping"]["case"]


def test_introspection_shows_guppys_names(explorer: Explorer) -> None:
    arguments = "args { name type { name } defaultValue }"
    text = f'{{ __schema {{ types {{ name }} }} __type(name: "Query") {{ fields {{ name {arguments} }} }} }}'
    found = explorer.query(text)
    names = {each["name"] for each in found["__schema"]["types"]}
    assert names >= {"Case", "samples", "CaseAggregation", "NestedHistogramForSamples", "HistogramForString", "Float",
                     "HistogramForNumber", "Accessibility", "Format", "JSON", "MatchedItem"}  # fmt: skip
    case = next(each for each in found["__type"]["fields"] if each["name"] == "case")
    assert [(each["name"], each["type"]["name"], each["defaultValue"]) for each in case["args"]] == [
        ("offset", "Int", None),
        ("first", "Int", None),
        ("filter", "JSON", None),
        ("sort", "JSON", None),
        ("accessibility", "Accessibility", "all"),
        ("format", "Format", "json"),
    ]
