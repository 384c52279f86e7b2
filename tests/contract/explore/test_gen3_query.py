"""The official SDK and the portal's own queries, answered by a real explore service."""

from typing import Any

import pytest
import requests
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


def test_graphql_query_without_variables(sdk: Gen3Query) -> None:
    found = sdk.graphql_query('{ case(first: 1, sort: [{submitter_id: "asc"}]) { submitter_id } }')
    assert found == {"data": {"case": [{"submitter_id": "c1"}]}}


@pytest.mark.parametrize("accessibility", [None, "accessible", "all", "unaccessible"])
def test_every_accessibility_of_the_sdk(sdk: Gen3Query, accessibility: str | None) -> None:
    found = sdk.query("case", ["submitter_id"], accessibility=accessibility, offset=3, sort_object={"age": "asc"})
    assert found == {"data": {"case": [{"submitter_id": "c3"}]}}
    assert len(sdk.raw_data_download("case", ["submitter_id"], accessibility=accessibility)) == 4


@pytest.mark.parametrize(("data_type", "fields", "told"), [("nope", ["x"], "nope"), ("case", ["nope", "sex"], "nope")])
def test_the_sdk_raises_and_prints_what_is_wrong(
    sdk: Gen3Query, capsys: pytest.CaptureFixture[str], data_type: str, fields: list[str], told: str
) -> None:
    for ask in (sdk.raw_data_download, sdk.query):
        with pytest.raises(requests.HTTPError):
            ask(data_type, fields)
        assert told in capsys.readouterr().out


BLOOD = 'Blood, "whole"\nand fresh'
FACETS = """query ($filter: JSON) { _aggregation { case(filter: $filter, filterSelf: false,
  accessibility: all) { sex { histogram { key count } } age { histogram { key count } }
  age { asTextHistogram { key count } }
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


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"AND": [{"AND": [{"IN": {"sample_types": ["Tumor"]}}, {"IN": {"sample_types": [BLOOD]}}]}]}, ["c1"]),
        ({"AND": [{"nested": {"path": "samples", "AND": [{"IN": {"sample_type": ["Tumor"]}}]}}]}, ["c1", "c2"]),
        ({"AND": [{"nested": {"path": "samples.aliquots", "AND": [{">=": {"radius": 2}}, {"<=": {"radius": 3}}]}},
                  {"IN": {"sex": ["male", "no data"]}}]}, ["c2"]),
        ({"search": {"keyword": "ung", "fields": ["site"]}}, ["c1"]),
        ({"AND": [{"IN": {"project_id": ["P-one"]}}, {"search": {"keyword": "C2", "fields": ["submitter_id"]}}]},
         ["c2"]),
    ],
    ids=["and mode", "nested", "nested range", "typeahead", "typeahead with facets"],
)  # fmt: skip
def test_the_portals_filters(explorer: Explorer, filter: Any, found: list[str]) -> None:
    rows = explorer.query(TABLE, filter=filter, sort=[{"submitter_id": "asc"}])
    assert [each["submitter_id"] for each in rows["case"]] == found
    assert rows["_aggregation"]["case"]["_totalCount"] == len(found)


def test_the_portals_question_for_what_is_accessible(explorer: Explorer) -> None:
    part = "_aggregation { case(accessibility: %s) { project_id { histogram { key count } } } }"
    found = explorer.query(f"{{ accessible: {part % 'accessible'} unaccessible: {part % 'unaccessible'} }}", "one")
    keys = {name: each["case"]["project_id"]["histogram"] for name, each in found.items()}
    # Under the tier private, for which the portal does not ask, there are none but one's own.
    assert keys == {name: [{"key": "P-one", "count": 3}] for name in ("accessible", "unaccessible")}


def test_the_portals_heat_map(explorer: Explorer) -> None:
    found = explorer.query(
        """query ($filter: JSON, $nestedAggFields: JSON) { _aggregation { case(filter: $filter,
        nestedAggFields: $nestedAggFields, accessibility: all) { project_id { histogram { key count
        termsFields { field count terms { key count } } missingFields { field count } } } } } }""",
        filter={"AND": [{"IN": {"project_id": ["P-one"]}}]},
        nestedAggFields={"termsFields": ["sex"], "missingFields": ["age", "sample_types"]},
    )
    assert found["_aggregation"]["case"]["project_id"]["histogram"] == [
        {
            "key": "P-one",
            "count": 3,
            "termsFields": [
                {"field": "sex", "count": 2, "terms": [{"key": "female", "count": 1}, {"key": "male", "count": 1}]}
            ],
            "missingFields": [{"field": "age", "count": 1}, {"field": "sample_types", "count": 1}],
        }
    ]


def test_the_portals_totals_of_files(explorer: Explorer) -> None:
    total = "{ _aggregation { case(accessibility: all) { file_total { histogram { sum } } } } }"
    assert explorer.query(total)["_aggregation"]["case"]["file_total"]["histogram"] == [{"sum": 10_000_000_011}]
    ids = [each["_case_id"] for each in explorer.post("download", {"type": "case", "fields": ["_case_id"]}).json()]
    assert explorer.count({"IN": {"_case_id": ids}}, "file") == 4


def test_the_portals_manifest_does_without_what_files_lack(explorer: Explorer) -> None:
    wanted = {"type": "file", "filter": {"=": {"file_name": "i.dcm"}}}
    refused = explorer.post("download", {**wanted, "fields": ["object_id", "md5sum", "file_name", "file_size"]})
    assert (refused.status_code, '"md5sum"' in refused.text.replace("\\", "")) == (400, True)
    found = explorer.post("download", {**wanted, "fields": ["object_id", "file_name", "file_size"]}).json()
    assert found == [{"object_id": None, "file_name": "i.dcm", "file_size": 7}]


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
