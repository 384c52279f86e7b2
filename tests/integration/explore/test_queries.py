"""Questions to the explorer over HTTP: rows, filters, aggregations, downloads."""

import threading
from typing import Any

import duckdb
import pytest
import requests
from tests.opensearch import engine

from .conftest import Explorer

__all__ = ["engine"]

NAMES = "query($f: JSON, $s: JSON) { case(filter: $f, sort: $s, first: 100) { submitter_id } }"


def names(explorer: Explorer, filter: Any, sort: Any = None, user: str = "all") -> list[str]:
    found = explorer.query(NAMES, user, f=filter, s=sort or [{"submitter_id": "asc"}])["case"]
    return [document["submitter_id"] for document in found]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (None, "c1 c2 c3 c4"),
        ({}, "c1 c2 c3 c4"),
        ({"AND": []}, "c1 c2 c3 c4"),
        ({"=": {"sex": "female"}}, "c1"),
        ({"IN": {"sex": ["female", "male"]}}, "c1 c2"),
        ({"in": {"sex": []}}, ""),
        ({"=": {"sex": "no data"}}, "c3"),
        ({"IN": {"sex": ["no data", "male"]}}, "c2 c3"),
        ({"!=": {"sex": "female"}}, "c2 c3 c4"),
        ({"!=": {"sex": "no data"}}, "c1 c2 c4"),
        ({"=": {"age": 61}}, "c1"),
        ({"=": {"age": "61"}}, "c1"),
        ({"=": {"age": 61.5}}, ""),
        ({"!=": {"age": 61}}, "c2 c4"),
        ({"=": {"age": "no data"}}, "c3"),
        ({">=": {"age": 61}}, "c1 c4"),
        ({"AND": [{">": {"age": 40}}, {"<": {"age": 99}}]}, "c1"),
        ({"AND": [{">": {"age": 30}}, {"<": {"age": 99}}, {">": {"_samples_count": 1}}]}, "c1"),
        ({"OR": [{"<": {"age": 50}}, {">": {"age": 90}}]}, "c2 c4"),
        ({"or": [{"<": {"age": 50}}, {"=": {"sex": "no data"}}]}, "c2 c3"),
        ({"=": {"sex": "male"}, ">": {"age": 90}}, ""),
        ({"=": {"sex": "male", "age": 40}}, "c2"),
        ({"CONTAINS_ANY": {"sample_types": ["Tumor", "x"]}}, "c1 c2"),
        ({"CONTAINS_ALL": {"all_sample_types": ["Tumor", 'Blood, "whole"\nand fresh']}}, "c1"),
        ({"EXCLUDES_ANY": {"sample_types": ["Tumor"]}}, "c3 c4"),
        ({"EXCLUDES_ALL": {"sample_types": ["Tumor", 'Blood, "whole"\nand fresh']}}, "c2 c3 c4"),
        ({"=": {"sample_types": "no data"}}, "c3"),
        ({"nested": {"path": "samples", "=": {"sample_type": "Tumor"}}}, "c1 c2"),
        ({"nested": {"path": "samples.aliquots", "AND": [{">": {"radius": 1}}, {"<": {"radius": 1.8}}]}}, "c1"),
        ({"nested": {"path": "samples", "AND": [
            {"=": {"submitter_id": "s2"}}, {"nested": {"path": "samples.aliquots", ">": {"radius": 5}}}]}}, "c1"),
        ({"nested": {"path": "samples", "AND": [
            {"=": {"submitter_id": "s1"}}, {"nested": {"path": "aliquots", ">": {"radius": 5}}}]}}, ""),
        ({"=": {"samples.sample_type": "Tumor"}}, "c1 c2"),
        ({"!=": {"samples.sample_type": "Tumor"}}, "c3 c4"),
        ({"search": {"keyword": "bREA", "fields": ["site"]}}, "c2"),
        ({"search": {"keyword": "%"*2}}, ""),
        ({"search": {"keyword": "and fresh"}}, "c1"),
        ({"=": {"submitter_id": "x' or '1'='1"}}, ""),
        ({"NOT": [{"=": {"sex": "male"}}, {">": {"age": 90}}]}, "c1 c3"),
        ({"like": {"site": ["l*", "Bre*t"]}}, "c1 c2"),
        ({"like": {"sample_types": "*whole*fresh"}}, "c1"),
        ({"like": {"site": "l.*"}}, ""),
        ({"linked": {"type": "file", "field": "_case_id", "filter": {"=": {"data_format": "DCM"}}}}, "c1 c4"),
        ({"linked": {"type": "file", "field": "submitter_id", "on": "case_submitter_id"}}, "c1 c2 c4"),
        ({"NOT": [{"linked": {"type": "file", "field": "_case_id"}}]}, "c3"),
        ({"op": "and", "content": [{"op": "in", "content": {"fieldName": "sex", "value": ["male", "__missing__"]}},
            {"op": "not", "content": [{"op": ">=", "content": {"fieldName": "age", "value": 90}}]}]}, "c2 c3"),
    ],
    ids=str,
)  # fmt: skip
def test_a_filter_keeps_its_documents(explorer: Explorer, filter: Any, expected: str) -> None:
    assert names(explorer, filter) == expected.split()


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ([{"age": "asc"}], "c2 c1 c4 c3"),
        ([{"age": "desc"}], "c4 c1 c2 c3"),
        ({"sex": "asc"}, "c1 c4 c2 c3"),
        ([{"_samples_count": "desc"}, {"submitter_id": "desc"}], "c1 c4 c2 c3"),
        ([{"samples.aliquots.radius": "desc"}], "c4 c1 c2 c3"),
    ],
    ids=str,
)
def test_rows_are_sorted_with_missing_values_last(explorer: Explorer, sort: Any, expected: str) -> None:
    assert names(explorer, None, sort) == expected.split()


def test_pages_follow_one_another(explorer: Explorer) -> None:
    query = "query($o: Int) { case(first: 2, offset: $o) { submitter_id } }"
    pages = [explorer.query(query, o=offset)["case"] for offset in (0, 2, 4)]
    assert [len(page) for page in pages] == [2, 2, 0]
    assert {row["submitter_id"] for page in pages for row in page} == {"c1", "c2", "c3", "c4"}


def test_matched_tells_where_a_keyword_was_found(explorer: Explorer) -> None:
    query = "query($f: JSON) { case(filter: $f) { _matched { field highlights } } }"
    found = explorer.query(query, f={"search": {"keyword": "brea", "fields": "site"}})
    assert found["case"] == [{"_matched": [{"field": "site", "highlights": ["<em>Brea</em>st"]}]}]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('filter: {eq: {nope: 1}}', "nope"),
        ('filter: {almost: {age: 1}}', "almost"),
        ('filter: {gt: {sex: 1}}', "gt"),
        ('filter: {contains_all: {age: [1]}}', "contains_all"),
        ('filter: {eq: {age: "old"}}', "old"),
        ('filter: {eq: {sex: null}}', "sex"),
        ('filter: {AND: {eq: {sex: "male"}}}', "filter.AND"),
        ('filter: "sex"', "filter"),
        ('filter: {nested: {path: "nope", eq: {a: 1}}}', "nope"),
        ('filter: {search: {keyword: "a"}}', "keyword"),
        ('sort: [{nope: "asc"}]', "nope"),
        ('sort: [{age: "up"}]', "up"),
        ('filter: {linked: {type: "nope", field: "sex"}}', "nope"),
        ('filter: {linked: {type: "file", field: "sex"}}', "sex"),
        ('filter: {linked: {type: "file", field: "age", on: "file_name"}}', "different types"),
        ('filter: {like: {age: "1*"}}', "like"),
        ('filter: {op: "almost", content: {fieldName: "age", value: 1}}', "almost"),
        ('first: 10001', "first"),
        ('first: -1', "negative"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(explorer: Explorer, arguments: str, told: str) -> None:
    answer = explorer.post("graphql", {"query": f"{{ case({arguments}) {{ submitter_id }} }}"})
    assert answer.status_code == 200
    error = answer.json()["errors"][0]
    assert (error["extensions"]["code"], told in error["message"]) == ("BAD_USER_INPUT", True), error


@pytest.mark.parametrize(
    "body",
    [
        {"query": "{ nothing }"},
        {"query": "{ case {"},
        {"query": ""},
        {"query": 5},
        [],
        {"query": "{ case { submitter_id } }", "variables": [1]},
        {"query": "{" + "case {" * 12 + "}" * 12 + "}"},
        {"query": "{ " + "_aggregation { case { _totalCount } } " * 9000 + "}"},
        {"query": "{ " + "_mapping { case } " * 4000 + "}"},
        {"query": "{ case(filter: " + "[" * 9000 + "]" * 9000 + ") { submitter_id } }"},
        {"query": "{ a: case { submitter_id } a: file { file_name } }"},
        {"query": '{ case(filter: {eq: {sex: "x"}}) { submitter_id } case { sex } }'},
    ],
    ids=lambda body: str(body)[:60],
)
def test_a_malformed_request_is_a_400(explorer: Explorer, body: Any) -> None:
    assert explorer.post("graphql", body).status_code == 400


def test_a_huge_request_is_refused(explorer: Explorer) -> None:
    assert explorer.post("graphql", {"query": "x" * 17 * 2**20}).status_code == 413


def test_one_request_cannot_ask_for_rows_without_end(explorer: Explorer) -> None:
    text = " ".join(f"a{n}: case(first: 10000) {{ submitter_id }}" for n in range(6))
    answer = explorer.post("graphql", {"query": f"{{ {text} }}"}).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


def test_fragments_of_fragments_do_not_multiply_the_work(explorer: Explorer) -> None:
    parts = [f"fragment f{n} on Case {{ ...f{n + 1} ...f{n + 1} }}" for n in range(25)]
    text = "{ case { ...f0 } } fragment f25 on Case { submitter_id } " + " ".join(parts)
    assert explorer.post("graphql", {"query": text}).elapsed.total_seconds() < 5


def facet(explorer: Explorer, selection: str, arguments: str = "", user: str = "all") -> Any:
    arguments = f"({arguments})" if arguments else ""
    return explorer.query(f"{{ _aggregation {{ case{arguments} {{ {selection} }} }} }}", user)["_aggregation"]["case"]


def buckets(found: Any) -> dict[str, int]:
    return {bucket["key"]: bucket["count"] for bucket in found}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("sex { histogram { key count } }", [("female", 1), ("intersex", 1), ("male", 1), ("no data", 1)]),
        ("project_id { histogram { key count } }", [("P-one", 3), ("P-two", 1)]),
        ("sample_types { histogram { key count } }",
         [("Tumor", 2), ('Blood, "whole"\nand fresh', 1), ("Hidden", 1), ("no data", 1)]),
        ("age { histogram: asTextHistogram { key count } }", [("40", 1), ("61", 1), ("99", 1)]),
        ("samples { sample_type { histogram { key count } } }",
         [("Tumor", 2), ('Blood, "whole"\nand fresh', 1), ("Hidden", 1)]),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)  # fmt: skip
def test_text_buckets_come_largest_first_and_missing_last(
    explorer: Explorer, field: str, expected: list[tuple[str, int]]
) -> None:
    found = facet(explorer, field)
    while "histogram" not in found:
        found = next(iter(found.values()))
    assert [(bucket["key"], bucket["count"]) for bucket in found["histogram"]] == expected


def test_counts_and_cardinalities(explorer: Explorer) -> None:
    found = facet(
        explorer, "_totalCount sex { _totalCount _cardinalityCount } all_sample_types { _totalCount _cardinalityCount }"
    )
    assert found == {
        "_totalCount": 4,
        "sex": {"_totalCount": 3, "_cardinalityCount": 3},
        "all_sample_types": {"_totalCount": 4, "_cardinalityCount": 3},
    }


NUMBER = "{ key count min max avg sum }"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", [([40, 99], 3)]),
        ("(rangeStart: 0, rangeEnd: 99)", [([0, 99], 2)]),
        ("(rangeStep: 20)", [([40, 60], 1), ([60, 80], 1), ([80, 100], 1)]),
        ("(rangeStart: 0, rangeEnd: 100, rangeStep: 10)",
         [([40, 50], 1), ([50, 60], 0), ([60, 70], 1), ([70, 80], 0), ([80, 90], 0), ([90, 100], 1)]),
        ("(binCount: 3)", [([40, 60], 1), ([60, 80], 1), ([80, 100], 1)]),
        ("(rangeStart: 200)", [([200, None], 0)]),
        ("(rangeStart: 200, binCount: 2)", []),
    ],
)  # fmt: skip
def test_number_buckets(explorer: Explorer, arguments: str, expected: Any) -> None:
    found = facet(explorer, f"age {{ histogram{arguments} {NUMBER} }}")["age"]["histogram"]
    assert [(bucket["key"], bucket["count"]) for bucket in found] == expected


@pytest.mark.parametrize(
    "arguments",
    ["rangeStep: 0", "rangeStep: -1", "binCount: 0", "rangeStep: 1, binCount: 1", "rangeStart: 2, rangeEnd: 1",
     "rangeStep: 0.0000001"],
)  # fmt: skip
def test_senseless_bins_are_refused(explorer: Explorer, arguments: str) -> None:
    query = f"{{ _aggregation {{ case {{ age {{ histogram({arguments}) {{ count }} }} _totalCount }} }} }}"
    answer = explorer.post("graphql", {"query": query}).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert answer["data"]["_aggregation"]["case"] == {"age": {"histogram": None}, "_totalCount": 4}


def test_one_query_may_ask_a_field_twice(explorer: Explorer) -> None:
    found = facet(
        explorer,
        "a: age { histogram(rangeStep: 50) { count } } b: age { histogram { count } } sex { histogram { key count } }",
    )
    assert [bucket["count"] for bucket in found["a"]["histogram"]] == [1, 2]
    assert found["b"]["histogram"] == [{"count": 3}]


def test_a_facet_can_be_blind_for_its_own_filter(explorer: Explorer) -> None:
    arguments = 'filterSelf: false, filter: {AND: [{eq: {sex: "male"}}, {lt: {age: 90}}]}'
    found = facet(explorer, "sex { histogram { key count } } age { histogram { count } } _totalCount", arguments)
    assert buckets(found["sex"]["histogram"]) == {"female": 1, "male": 1}
    assert found["age"]["histogram"] == [{"count": 1}]
    assert found["_totalCount"] == 1


PARTS = "missingFields { field count } termsFields { field count terms { key count } }"


def parts(explorer: Explorer, selection: str, missing: list[str], terms: list[str]) -> Any:
    text = f"query($n: JSON) {{ _aggregation {{ case(nestedAggFields: $n) {{ {selection} }} }} }}"
    return explorer.query(text, n={"missingFields": missing, "termsFields": terms})["_aggregation"]["case"]


def test_buckets_are_told_in_parts(explorer: Explorer) -> None:
    found = parts(explorer, f"project_id {{ histogram {{ key count {PARTS} }} }}", ["sex", "nope"], ["sex", "nope"])
    one, two = found["project_id"]["histogram"]
    none = {"field": "nope", "count": 0, "terms": [{"key": None, "count": 0}]}
    sexes = [{"key": "female", "count": 1}, {"key": "male", "count": 1}]
    assert one == {
        "key": "P-one",
        "count": 3,
        "missingFields": [{"field": "sex", "count": 1}, {"field": "nope", "count": 3}],
        "termsFields": [{"field": "sex", "count": 2, "terms": sexes}, none],
    }
    assert two["missingFields"] == [{"field": "sex", "count": 0}, {"field": "nope", "count": 1}]
    assert two["termsFields"] == [{"field": "sex", "count": 1, "terms": [{"key": "intersex", "count": 1}]}, none]


def test_a_facet_in_parts_has_no_bucket_for_missing_values(explorer: Explorer) -> None:
    found = parts(explorer, f"sex {{ histogram {{ key {PARTS} }} }}", [], ["sample_types"])["sex"]["histogram"]
    assert [bucket["key"] for bucket in found] == ["female", "intersex", "male"]
    assert {term["key"] for term in found[0]["termsFields"][0]["terms"]} == {"Tumor", 'Blood, "whole"\nand fresh'}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", [["female", "intersex", "male"]]),
        ("(rangeStart: 50)", [["female", "intersex"]]),
        ("(rangeStep: 20)", [["male"], ["female"], ["intersex"]]),
        ("(binCount: 2)", [["female", "male"], ["intersex"]]),
    ],
)
def test_bins_are_told_in_parts(explorer: Explorer, arguments: str, expected: list[list[str]]) -> None:
    found = parts(explorer, f"age {{ histogram{arguments} {{ key {PARTS} }} }}", [], ["sex"])["age"]["histogram"]
    assert [sorted(term["key"] for term in bucket["termsFields"][0]["terms"]) for bucket in found] == expected


def test_elements_of_a_nest_are_told_in_parts_by_their_own_fields(explorer: Explorer) -> None:
    selection = f"samples {{ sample_type {{ histogram {{ key {PARTS} }} }} }}"
    found = parts(explorer, selection, [], ["samples.submitter_id"])["samples"]["sample_type"]["histogram"]
    tumor = next(bucket for bucket in found if bucket["key"] == "Tumor")
    assert [term["key"] for term in tumor["termsFields"][0]["terms"]] == ["s1", "s3"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("[]", "must be an object"),
        ("{other: []}", "must be an object"),
        ('{termsFields: "sex"}', "termsFields must be a list"),
        ('{missingFields: ["samples.sample_type"]}', "does not lie beside 'sex'"),
    ],
)
def test_senseless_parts_are_refused(explorer: Explorer, given: str, told: str) -> None:
    query = f"{{ _aggregation {{ case(nestedAggFields: {given}) {{ sex {{ histogram {{ key }} }} }} }} }}"
    error = explorer.post("graphql", {"query": query}).json()["errors"][0]
    assert (error["extensions"]["code"], told in error["message"]) == ("BAD_USER_INPUT", True), error


def test_mapping_lists_and_searches_the_fields(explorer: Explorer) -> None:
    found = explorer.query('{ _mapping { all: file case(searchInput: "^samples.*submitter") } }')["_mapping"]
    assert found["case"] == ["samples.submitter_id", "samples.aliquots.submitter_id"]
    assert "_case_id" in found["all"]


def test_a_pattern_that_is_none_is_refused(explorer: Explorer) -> None:
    answer = explorer.post("graphql", {"query": '{ _mapping { case(searchInput: "(") } }'}).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("path", ["_status", "_status/"])
def test_status_names_indices_and_their_lists(explorer: Explorer, path: str) -> None:
    answer = explorer.running.app.active
    found = requests.get(f"{explorer.url}/guppy/{path}", timeout=30).json()
    assert found["statusCode"] == 200
    assert found["indices"][f"test_case_{answer.id}"] == {"aliases": {"test_case": {}}}
    assert set(found["indices"]["test_file"]["arrayFields"]) == {"_case_id", "case_submitter_id"}


def test_a_download_has_all_rows(explorer: Explorer) -> None:
    body = {"type": "case", "fields": ["submitter_id", "age", "samples.aliquots.radius"], "sort": [{"age": "asc"}]}
    answer = explorer.post("download", body)
    assert answer.headers["Content-Type"] == "application/json"
    assert [row["submitter_id"] for row in answer.json()] == ["c2", "c1", "c4", "c3"]
    assert answer.json()[0] == {"submitter_id": "c2", "age": 40, "samples": [{"aliquots": [{"radius": 2.0}]}]}


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("csv", "submitter_id,sample_types\nc2,Tumor\nc3,\n"),
        ("tsv", "submitter_id\tsample_types\nc2\tTumor\nc3\t\n"),
        ("ndjson", '{"submitter_id":"c2","sample_types":["Tumor"]}\n{"submitter_id":"c3","sample_types":[]}\n'),
    ],
)
def test_a_download_comes_in_other_formats(explorer: Explorer, format: str, text: str) -> None:
    body = {"type": "case", "fields": ["submitter_id", "sample_types"], "format": format,
            "filter": {"IN": {"submitter_id": ["c2", "c3"]}}, "sort": [{"submitter_id": "asc"}]}  # fmt: skip
    assert explorer.post("download", body).text == text


def test_a_download_comes_as_parquet(explorer: Explorer, tmp_path: Any) -> None:
    body = {"type": "case", "fields": ["submitter_id", "age", "samples"], "format": "parquet", "sort": {"age": "asc"}}
    answer = explorer.post("download", body)
    assert answer.headers["Content-Type"] == "application/vnd.apache.parquet"
    (tmp_path / "case.parquet").write_bytes(answer.content)
    rows = duckdb.sql(f"from '{tmp_path}/case.parquet'").fetchall()
    assert [row[:2] for row in rows] == [("c2", 40), ("c1", 61), ("c4", 99), ("c3", None)]
    assert [sample["submitter_id"] for sample in rows[1][2]] in (["s1", "s2"], ["s2", "s1"])


def test_a_manifest_is_of_the_files_of_chosen_cases(explorer: Explorer) -> None:
    cases = {"linked": {"type": "case", "field": "_case_id", "filter": {"=": {"sex": "male"}}}}
    body = {"type": "file", "format": "manifest", "filter": cases}
    assert explorer.post("download", body).json() == []
    found = explorer.query("query($f: JSON) { file(filter: $f) { file_name object_id } }", f=cases)["file"]
    assert {each["file_name"] for each in found} == {"m.csv", "x.csv"}
    assert {each["object_id"] for each in found} == {None}


def test_queries_do_not_wait_for_downloads(explorer: Explorer) -> None:
    app, gate = explorer.running.app, threading.Event()
    for _ in range(app.settings.download_threads):
        app._download_threads.submit(gate.wait)
    try:
        assert explorer.query("{ tumor { submitter_id kind } }")["tumor"]
    finally:
        gate.set()


@pytest.mark.parametrize("path", ["graphql", "download"])
def test_a_filter_that_is_far_too_deep_is_refused(explorer: Explorer, path: str) -> None:
    deep: Any = {"=": {"sex": "x"}}
    for _ in range(400):
        deep = {"AND": [deep]}
    body = {"query": NAMES, "variables": {"f": deep}, "type": "case", "filter": deep}
    answer = explorer.post(path, body)
    assert (answer.status_code, "nested" in answer.text) == (400, True)


def test_an_empty_download_is_an_empty_list(explorer: Explorer) -> None:
    assert explorer.post("download", {"type": "case", "filter": {"=": {"sex": "x"}}}).json() == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"type": "nothing"}, "Invalid type"),
        ({}, "Invalid type"),
        ({"type": "case", "fields": ["a", "sex", "b.c"]}, 'Invalid fields: "a", "b.c"'),
        ({"type": "case", "fields": "sex"}, "fields must be a list"),
        ({"type": "case", "format": "xml"}, "Invalid format"),
        ({"type": "case", "format": "manifest"}, "no object_id"),
        ({"type": "case", "format": "parquet", "fields": ["samples.sample_type"]}, "whole"),
        ({"type": "case", "filter": {"=": {"nope": 1}}}, "nope"),
        ({"type": "case", "sort": [{"nope": "asc"}]}, "nope"),
    ],
    ids=str,
)
def test_a_wrong_download_is_refused(explorer: Explorer, body: Any, told: str) -> None:
    answer = explorer.post("download", body)
    assert answer.status_code == 400
    assert told in answer.json()["message"]
