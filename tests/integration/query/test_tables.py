"""The answer to a query as a table: TSV, CSV, NDJSON and Parquet."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from tests.integration.query.conftest import GRAPHQL, Client, writing
from tests.integration.query.model import record
from tests.tokens import bearer
from tests.waiting import eventually

from commonshub.core.dictionary import Dictionary
from commonshub.core.graph import Graph

NESTED = """{ case(first: 0, order_by_asc: "id") {
  submitter_id age samples(first: 0, order_by_asc: "id") { id readings(first: 0, order_by_asc: "id") { file_name } }
  consent_codes alive } }"""
HEADER = ["submitter_id", "age", "samples.id", "samples.readings.file_name", "consent_codes", "alive"]
ROWS = [
    ["C1", 61, "s1", "r1.csv", ["cc1", "cc2"], True],
    ["C1", 61, "s2", 'quo"te\n.csv', ["cc1", "cc2"], True],
    ["C2", 9, None, None, ["xcc1"], False],
    ["C3", 100, "s3", None, None, None],
]
WRITTEN = [
    ["C1", "61", "s1", "r1.csv", "cc1,cc2", "True"],
    ["C1", "61", "s2", 'quo"te\n.csv', "cc1,cc2", "True"],
    ["C2", "9", "", "", "xcc1", "False"],
    ["C3", "100", "s3", "", "", ""],
]


def table(client: Client, query: str, form: str, user: str = "alice", **more: Any) -> requests.Response:
    url, headers = client.running.url + GRAPHQL, bearer(client.token(user))
    return requests.post(url, params={"format": form}, json={"query": query, **more}, headers=headers, timeout=60)


def told(answer: requests.Response) -> str:
    body = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"], body["data"]) == (400, "application/json", None)
    assert "Content-Disposition" not in answer.headers
    (error,) = body["errors"]
    return str(error)


def parquet(answer: requests.Response, folder: Path) -> tuple[list[tuple[str, str]], list[list[Any]]]:
    """Names and types of the columns, and the rows."""
    assert answer.status_code == 200, answer.text
    file = folder / "answer.parquet"
    file.write_bytes(answer.content)
    with duckdb.connect() as connection:
        found = connection.execute(f"from '{file}'")
        columns = [(name, str(type_)) for name, type_, *_ in found.description or ()]
        return columns, [list(row) for row in found.fetchall()]


@pytest.mark.parametrize(
    ("form", "delimiter", "type_"), [("tsv", "\t", "text/tab-separated-values"), ("csv", ",", "text/csv")]
)
def test_a_table_has_a_row_for_each_of_the_deepest_records(
    client: Client, form: str, delimiter: str, type_: str
) -> None:
    answer = table(client, NESTED, form)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == f"{type_}; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="case.{form}"'
    header, *rows = csv.reader(io.StringIO(answer.text, newline=""), delimiter=delimiter)
    assert (header, rows) == (HEADER, WRITTEN)


def test_ndjson_keeps_what_is_null_and_what_is_a_number(client: Client) -> None:
    answer = table(client, NESTED, "ndjson")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        dict(zip(HEADER, row, strict=True)) for row in ROWS
    ]


def test_parquet_has_the_types_of_the_dictionary(client: Client, tmp_path: Path) -> None:
    answer = table(client, NESTED, "parquet")
    assert answer.headers["Content-Type"] == "application/vnd.apache.parquet"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="case.parquet"'
    columns, rows = parquet(answer, tmp_path)
    types = ["VARCHAR", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR[]", "BOOLEAN"]
    assert columns == list(zip(HEADER, types, strict=True))
    assert rows == ROWS


@pytest.mark.parametrize("form", ["tsv", "ndjson", "parquet"])
def test_an_empty_list_is_a_table_without_rows(client: Client, form: str, tmp_path: Path) -> None:
    answer = table(client, '{ case(id: "none") { id weight scores } }', form)
    if form == "parquet":
        types = [("id", "VARCHAR"), ("weight", "DOUBLE"), ("scores", "VARCHAR[]")]
        assert parquet(answer, tmp_path) == (types, [])
    else:
        assert answer.text == ("id\tweight\tscores\n" if form == "tsv" else "")


@pytest.mark.parametrize(
    ("query", "header", "rows"),
    [
        ("{ _case_count n: _sample_count }", ["_case_count", "n"], [["3", "3"]]),
        (
            '{ _image_count case(ids: ["c1", "c3"], order_by_asc: "id") { id } }',
            ["_image_count", "case.id"],
            [["2", "c1"], ["2", "c3"]],
        ),
        ('{ _image_count case(id: "none") { id } }', ["_image_count", "case.id"], [["2", ""]]),
        (
            "{ _case_aggregate { _totalCount primary_site { _missing histogram { key count } } } }",
            ["_totalCount", "primary_site._missing", "primary_site.histogram.key", "primary_site.histogram.count"],
            [["3", "0", "Lung", "2"], ["3", "0", "Skin", "1"]],
        ),
        (
            '{ node(first: 0, of_type: ["case", "image"], order_by_asc: "id")'
            " { id ... on case { age } ... on image { dose } } }",
            ["id", "age", "dose"],
            [["c1", "61", ""], ["c2", "9", ""], ["c3", "100", ""], ["i1", "", "1.25"], ["i3", "", ""]],
        ),
        ('{ viewer { case(id: "c1") { primary_site } } }', ["case.primary_site"], [["Lung"]]),
        ("{ __typename }", ["__typename"], [["Root"]]),
        ('{ _node_type(id: "case") { id title } }', ["id", "title"], [["case", "Case"]]),
        ("{ transaction_log { id documents { name } } }", ["id", "documents.name"], []),
    ],
    ids=["counts", "count and list", "count and none", "figures", "types", "viewer", "constant", "dictionary", "log"],
)
def test_whatever_is_asked_makes_a_table(client: Client, query: str, header: list[str], rows: list[list[str]]) -> None:
    answer = table(client, query, "csv")
    assert answer.status_code == 200, answer.text
    assert list(csv.reader(io.StringIO(answer.text, newline=""))) == [header, *rows]


@pytest.mark.parametrize(
    ("query", "form", "words"),
    [
        ("{ case { samples { id } demographics { id } } }", "tsv", "case.samples and case.demographics"),
        ("{ case { id } sample { id } }", "parquet", "case and sample"),
        ("{ _case_aggregate { age { histogram { count } asTextHistogram { count } } } }", "csv", "beside one another"),
        ("{ node { ... on case { x: age } ... on sample { x: cases { id } } } }", "csv", "node.x"),
        ("{ __schema { types { name } } }", "csv", "__schema"),
        ("{ case { nope } }", "csv", "Cannot query field"),
        ('{ case(created_after: "x") { id } }', "csv", "created_after"),
        ("{ case { a: age A: alive } }", "parquet", "a and A"),
        ("{ case { id } }", "xls", "format must be one of json, tsv, csv, ndjson, parquet, not 'xls'."),
    ],
)
def test_what_makes_no_table_is_refused_as_a_fault_of_the_query(
    client: Client, query: str, form: str, words: str
) -> None:
    assert words in told(table(client, query, form))


def test_a_value_that_its_type_cannot_hold_is_named(client: Client, dictionary: Dictionary) -> None:
    graph = Graph(dictionary, "graph")
    stale = record("case", "stale", "P-Q", age="old")
    with writing(client.running) as connection:
        connection.execute(graph.node("case").insert(), {"node_id": stale.id, "_props": stale.props})
    try:
        for first in (0, 10):
            query = f'{{ case(first: {first}, ids: ["c1", "stale"], order_by_asc: "id") {{ id age }} }}'
            assert 'age of a record is "old", which is no integer' in told(table(client, query, "parquet"))
            assert table(client, query, "csv").text == "id,age\nc1,61\nstale,old\n"
    finally:
        with writing(client.running) as connection:
            connection.execute(graph.node("case").delete().where(graph.node("case").c.node_id == stale.id))


def test_a_table_shows_what_its_caller_may_see(client: Client, tmp_path: Path) -> None:
    query = '{ case(first: 0, order_by_asc: "id") { id samples { id } } }'
    assert table(client, query, "csv", "bob").text == "id,samples.id\nc1,s1\nc1,s2\nc2,\n"
    assert table(client, query, "csv", "nobody").text == "id,samples.id\n"
    assert parquet(table(client, query, "parquet", "bob"), tmp_path)[1] == [["c1", "s1"], ["c1", "s2"], ["c2", None]]
    url = client.running.url + GRAPHQL
    assert requests.post(url, params={"format": "csv"}, json={"query": query}, timeout=60).status_code == 401


def test_the_format_stands_in_the_body_or_in_the_address(client: Client) -> None:
    query = '{ case(id: "c1") { id } }'
    url, headers = client.running.url + GRAPHQL, bearer(client.token("alice"))
    answer = requests.get(url, params={"query": query, "format": "csv"}, headers=headers, timeout=60)
    assert (answer.text, answer.headers["Cache-Control"]) == ("id\nc1\n", "private, no-store")
    assert client.post({"query": query, "format": "csv"}).text == "id\nc1\n"
    assert client.post({"query": query, "format": "json"}).json() == {"data": {"case": [{"id": "c1"}]}}
    assert client.post({"query": query, "format": 7}).json()["errors"] == ["format must be a text."]


def test_a_batch_is_json(client: Client) -> None:
    entry = {"query": "{ _case_count }"}
    first, second = client.post([entry, {**entry, "format": "csv"}]).json()
    assert first == {"data": {"_case_count": 3}}
    assert second["errors"] == ["A batch is answered in JSON; send a query by itself for a table."]


def test_a_table_is_one_statement(client: Client) -> None:
    client.statements.texts.clear()
    table(client, NESTED, "csv")
    assert len(client.statements.texts) == 1


def test_nothing_of_a_table_stays_behind(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert table(client, NESTED, "parquet").status_code == 200
    eventually(lambda: list(tmp_path.iterdir()) == [])
