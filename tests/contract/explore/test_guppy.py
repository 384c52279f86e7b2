"""Guppy's own cases, on a hundred cases and a hundred files whose numbers a plain reading gives."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from gen3.query import Gen3Query
from tests.integration.explore.conftest import Builder, Explorer, explorer
from tests.opensearch import engine
from tests.tokens import Bearer

__all__ = ["engine", "explorer"]

MAPPING = """\
mappings:
- name: cohort_case
  doc_type: case
  type: aggregator
  root: case
  props: [{name: submitter_id}, {name: project_id}, {name: race, src: primary_site}]
  flatten_props:
  - path: demographics
    props: [{name: sex}, {name: age, src: age_at_enrollment_years}]
  aggregated_props:
  - {name: _samples_count, path: samples, fn: count}
  - {name: sample_types, src: sample_type, path: samples, fn: set}
  nested_props:
  - name: samples
    path: samples
    props: [{name: sample_type}]
    nested_props:
    - {name: aliquots, path: aliquots, props: [{name: radius, src: nuclear_radius_mean}]}
- name: cohort_file
  doc_type: file
  type: collector
  root: None
  category: data_file
  props: [{name: file_name}, {name: file_size}, {name: object_id}, {name: md5sum}]
  injecting_props:
    case: {props: [{name: _case_id, src: id, fn: set}, {name: project_id}]}
"""
SETTINGS = {
    "tier_access_level": "regular",
    "tier_access_levels": {"file": "private"},
    "tier_access_limit": 25,
    "tier_access_told_values": ["Not Reported"],
}


def case(number: int) -> dict[str, Any]:
    """What is known of one of them; 75 are in the first project."""
    return {
        "submitter_id": f"c{number:03}",
        "project_id": "P-one" if number < 75 else "P-two",
        "sex": None if number % 8 == 7 else "female" if number % 2 else "male",
        "race": "not reported" if number % 5 == 0 else "white" if number < 90 else "asian",
        "age": number % 99 + 1,
        "samples": 12 if number < 3 else 1,
    }


CASES = [case(number) for number in range(100)]


@pytest.fixture(scope="module")
def graph(database_url: str) -> Iterator[Builder]:
    builder = Builder(database_url)
    builder.add("program", "P", name="P")
    for code in ("one", "two"):
        builder.add("project", code, {"programs": ["P"]}, code=code, name=code)
    for each in CASES:
        name, project = each["submitter_id"], {"project_id": each["project_id"]}
        builder.add("case", name, {"projects": [each["project_id"][2:]]}, primary_site=each["race"], **project)
        told = {key: value for key, value in (("sex", each["sex"]), ("race", each["race"])) if value is not None}
        builder.add(
            "demographic", f"d{name}", {"cases": [name]}, age_at_enrollment_years=each["age"], **told, **project
        )
        for number in range(each["samples"]):
            sample = f"s{name}{number}"
            kind = "Tumor" if number % 2 == 0 else "Blood"
            builder.add("sample", sample, {"cases": [name]}, sample_type=kind, **project)
            builder.add("aliquot", f"a{sample}", {"samples": [sample]}, nuclear_radius_mean=float(number), **project)
        facts = {"file_name": f"{name}.csv", "file_size": 7, "object_id": f"guid-{name}", "md5sum": "0" * 32}
        builder.add("measurement_file", f"f{name}", {"cases": [name]}, **facts, **project)
    builder.commit()
    yield builder
    builder.engine.dispose()


def total(**wanted: Any) -> int:
    return sum(all(each[key] == value for key, value in wanted.items()) for each in CASES)


YOUNG = {"AND": [{"<": {"age": 60}}, {"=": {"project_id": "P-one"}}]}
ROWS = "query($f: JSON, $s: JSON) { case(filter: $f, sort: $s, first: 10000) { submitter_id age sex } }"
YOUNG_CASES = [each for each in CASES if each["age"] < 60 and each["project_id"] == "P-one"]


def test_rows_are_filtered_sorted_and_null_where_nothing_is_known(explorer: Explorer) -> None:
    found = explorer.query(ROWS, f=YOUNG, s=[{"submitter_id": "asc"}])["case"]
    assert found == [{key: each[key] for key in ("submitter_id", "age", "sex")} for each in YOUNG_CASES]
    assert explorer.count(YOUNG) == len(YOUNG_CASES)


def facets(explorer: Explorer, selection: str, arguments: str = "", user: str | None = "all") -> Any:
    arguments = f"({arguments})" if arguments else ""
    return explorer.query(f"{{ _aggregation {{ case{arguments} {{ {selection} }} }} }}", user)["_aggregation"]["case"]


def test_a_text_histogram_has_missing_values_last(explorer: Explorer) -> None:
    found = facets(explorer, "sex { histogram { key count } }")["sex"]["histogram"]
    assert found == [
        {"key": "male", "count": total(sex="male")},
        {"key": "female", "count": total(sex="female")},
        {"key": "no data", "count": total(sex=None)},
    ]


def test_bins_of_a_width_begin_at_the_start_of_the_range(explorer: Explorer) -> None:
    selection = "_samples_count { histogram(rangeStart: 0, rangeEnd: 100, rangeStep: 5) { key count avg } }"
    found = facets(explorer, selection)["_samples_count"]["histogram"]
    assert found == [
        {"key": [0, 5], "count": 97, "avg": 1},
        {"key": [5, 10], "count": 0, "avg": None},
        {"key": [10, 15], "count": 3, "avg": 12},
    ]


def test_aliases_of_one_field_have_bins_of_their_own(explorer: Explorer) -> None:
    narrow, wide = (f"_samples_count {{ histogram(rangeStep: {step}) {{ count }} }}" for step in (10, 20))
    found = facets(explorer, f"a: {narrow} b: {wide}")
    assert [[bucket["count"] for bucket in found[name]["histogram"]] for name in "ab"] == [[97, 3], [100]]


def test_a_number_of_bins_divides_the_range_evenly(explorer: Explorer) -> None:
    found = facets(explorer, "age { histogram(binCount: 4) { key count } }")["age"]["histogram"]
    assert [bucket["key"] for bucket in found] == [[1, 25.75], [25.75, 50.5], [50.5, 75.25], [75.25, 100]]
    assert sum(bucket["count"] for bucket in found) == 100


@pytest.mark.parametrize(
    ("arguments", "key", "ages"),
    [
        ("", [1, 99], range(1, 100)),
        ("(rangeStart: 50)", [50, 99], range(50, 100)),
        ("(rangeStart: 50, rangeEnd: 70)", [50, 70], range(50, 70)),
    ],
)
def test_statistics_are_of_a_range(explorer: Explorer, arguments: str, key: list[int], ages: range) -> None:
    found = facets(explorer, f"age {{ histogram{arguments} {{ key count min max sum }} }}")["age"]["histogram"]
    within = [each["age"] for each in CASES if each["age"] in ages]
    assert found == [{"key": key, "count": len(within), "min": min(within), "max": max(within), "sum": sum(within)}]


def test_nested_numbers_are_of_elements(explorer: Explorer) -> None:
    selection = (
        "samples { sample_type { histogram { key count } } aliquots { radius { histogram(rangeStep: 1) { count } } } }"
    )
    found = facets(explorer, selection)["samples"]
    assert found["sample_type"]["histogram"] == [{"key": "Tumor", "count": 97 + 18}, {"key": "Blood", "count": 18}]
    assert [bucket["count"] for bucket in found["aliquots"]["radius"]["histogram"]] == [100, *[3] * 11]


@pytest.mark.parametrize(
    ("filter", "keeps"),
    [
        ({"CONTAINS_ANY": {"sample_types": ["Blood", "x"]}}, lambda each: each["samples"] == 12),
        ({"CONTAINS_ALL": {"sample_types": ["Blood", "Tumor"]}}, lambda each: each["samples"] == 12),
        ({"EXCLUDES_ANY": {"sex": ["male"]}}, lambda each: each["sex"] != "male"),
        ({"EXCLUDES_ALL": {"sample_types": ["Blood", "Tumor"]}}, lambda each: each["samples"] == 1),
        ({"in": {"sex": ["male", "no data"]}}, lambda each: each["sex"] in ("male", None)),
        ({"!=": {"sex": "male"}}, lambda each: each["sex"] != "male"),
        ({"AND": [{">": {"age": 10}}, {"<": {"age": 20}}, {"!=": {"age": 15}}, {"<=": {"_samples_count": 1}}]},
         lambda each: 10 < each["age"] < 20 and each["age"] != 15 and each["samples"] <= 1),
        ({"OR": [{"<": {"age": 10}}, {">": {"age": 90}}]}, lambda each: each["age"] < 10 or each["age"] > 90),
        ({"AND": [{"OR": [{"=": {"sex": "male"}}, {"AND": [{"=": {"sex": "female"}}, {">": {"age": 50}}]}]},
                  {"=": {"race": "white"}}]},
         lambda each: each["race"] == "white"
         and (each["sex"] == "male" or (each["sex"] == "female" and each["age"] > 50))),
        ({"nested": {"path": "samples", "AND": [
            {"=": {"sample_type": "Blood"}}, {"nested": {"path": "samples.aliquots", ">": {"radius": 10}}}]}},
         lambda each: each["samples"] == 12),
    ],
    ids=str,
)  # fmt: skip
def test_filters_mean_what_they_say(explorer: Explorer, filter: Any, keeps: Any) -> None:
    assert explorer.count(filter) == sum(map(keeps, CASES))


def test_several_facets_in_one_query(explorer: Explorer) -> None:
    found = facets(explorer, " ".join(f"{name} {{ histogram {{ key count }} }}" for name in
                                      ("sex", "race", "project_id", "age")), 'filter: {lt: {age: 60}}')  # fmt: skip
    young = [each for each in CASES if each["age"] < 60]
    for name in ("sex", "race", "project_id"):
        counted = {bucket["key"]: bucket["count"] for bucket in found[name]["histogram"]}
        assert counted == {
            key or "no data": sum(each[name] == key for each in young) for key in {e[name] for e in young}
        }
    assert found["age"]["histogram"] == [{"key": [1, 59], "count": len(young)}]


@pytest.mark.parametrize("filter_self", [True, False])
def test_a_facet_sees_its_own_filter_or_not(explorer: Explorer, filter_self: bool) -> None:
    arguments = (
        f'filter: {{AND: [{{eq: {{race: "asian"}}}}, {{gt: {{age: 20}}}}]}}, filterSelf: {str(filter_self).lower()}'
    )
    found = facets(explorer, "race { histogram { key count } }", arguments)["race"]["histogram"]
    keys = {each["race"] for each in CASES if each["age"] > 20 and (not filter_self or each["race"] == "asian")}
    assert {bucket["key"] for bucket in found} == keys


def test_the_sdk_downloads_everything(explorer: Explorer) -> None:
    sdk = Gen3Query(Bearer(explorer.url, explorer._token("all")))
    assert len(sdk.raw_data_download("case", ["submitter_id"], accessibility="accessible")) == 100
    found = sdk.query(
        "case", ["submitter_id"], first=100, filters={"sex": "female"}, sort_object={"submitter_id": "asc"}
    )
    assert len(found["data"]["case"]) == total(sex="female")


def test_a_manifest_has_what_download_clients_read(explorer: Explorer) -> None:
    cases = {"linked": {"type": "case", "field": "_case_id", "filter": {"=": {"submitter_id": "c007"}}}}
    found = explorer.post("download", {"type": "file", "format": "manifest", "filter": cases}).json()
    assert found == [{"object_id": "guid-c007", "md5sum": "0" * 32, "file_name": "c007.csv", "file_size": 7}]


def test_status_lists_the_indices(explorer: Explorer) -> None:
    found = requests.get(f"{explorer.url}/guppy/_status", timeout=30).json()["indices"]
    assert set(found["cohort_case"]["arrayFields"]) == {"sample_types", "samples"}
    assert "cohort_file" in found


# -- tiered access ----------------------------------------------------------------


def told(explorer: Explorer, user: str | None, accessibility: str) -> dict[str, int]:
    found = facets(explorer, "race { histogram { key count } }", f"accessibility: {accessibility}", user)
    return {bucket["key"]: bucket["count"] for bucket in found["race"]["histogram"]}


@pytest.mark.parametrize(
    ("user", "accessibility", "expected"),
    [
        ("all", "all", {"white": 72, "not reported": 20, "asian": 8}),
        # Of the second project's 25, 12 are white, 8 asian and 5 not reported; the last is told whatever its size.
        ("one", "all", {"white": -1, "not reported": 20}),
        ("one", "accessible", {"white": 60, "not reported": 15}),
        ("one", "unaccessible", {"not reported": 5}),
        # Of the first project's 75, 60 are white.
        ("two", "all", {"white": 72, "not reported": 20, "asian": -1}),
        ("two", "unaccessible", {"white": 60, "not reported": 15}),
        (None, "all", {"white": 72, "not reported": 20}),
    ],
)
def test_counts_of_few_others_are_hidden(
    explorer: Explorer, user: str | None, accessibility: str, expected: dict[str, int]
) -> None:
    assert told(explorer, user, accessibility) == expected


@pytest.mark.parametrize(("user", "accessibility", "count"), [
    ("one", "all", 100), ("one", "unaccessible", 25), ("two", "all", 100), (None, "all", 100), (None, "accessible", 0),
])  # fmt: skip
def test_totals_are_told_when_enough_others_are_in_them(
    explorer: Explorer, user: str | None, accessibility: str, count: int
) -> None:
    assert facets(explorer, "_totalCount", f"accessibility: {accessibility}", user) == {"_totalCount": count}


@pytest.mark.parametrize("path", ["graphql", "download"])
def test_an_expired_token_is_refused(explorer: Explorer, path: str) -> None:
    headers = {"Authorization": f"Bearer {explorer._token('all', exp=1)}"}
    body = {"query": "{ case { sex } }", "type": "case"}
    assert requests.post(f"{explorer.url}/guppy/{path}", json=body, headers=headers, timeout=30).status_code == 401
