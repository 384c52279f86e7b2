"""A query that names a release reads that release, and nothing else."""

from typing import Any

import pytest
import requests
from tests.integration.query.conftest import GRAPHQL, Commons, case, sample
from tests.statements import noted
from tests.tokens import bearer

QUERIES = [
    '{ case(first: 0, order_by_asc: "submitter_id") { id submitter_id age studies { projects { code } } } }',
    "{ case(age: 61) { submitter_id samples { kind } _samples_count } }",
    '{ sample(with_path_to: {type: "case", submitter_id: "c"}, order_by_asc: "submitter_id") { submitter_id } }',
    '{ case(with_links: ["samples"]) { submitter_id } }',
    "{ _case_count _sample_count _study_count _program_count _project_count }",
    '{ node(first: 0, order_by_asc: "id") { id type ... on case { age _links { id } } } }',
    "{ project { project_id code programs { name } } program { name projects { project_id } } }",
    '{ case(project_id: ["P-Q"], order_by_desc: "submitter_id") { submitter_id _links(of_type: ["sample"]) { id } } }',
    '{ viewer { case(quick_search: "c") { submitter_id created_datetime updated_datetime } } }',
    '{ sample(first: 1, order_by_asc: "kind") { submitter_id _cursor } }',
    "{ _case_aggregate(filter: {age: {gt: 1}}) { age { stats { max } histogram(width: 5) { key count } } } }",
    '{ case(order_by_asc: "submitter_id", first: 1, filter: {submitter_id: {prefix: "c"}}) { _cursor age } }',
    "{ standard { id } __typename }",
]


class Before(dict[str, Any]):
    """What was answered before the release was made, and everything changed."""

    release: str


@pytest.fixture(scope="module")
def before(commons: Commons) -> Before:
    before = Before({query: commons.ask(query) for query in QUERIES})
    before.release = commons.send("POST", "/P/Q/releases", {"name": "n"})["id"]
    ids = {each["submitter_id"]: each["id"] for each in commons.ask("{ sample { id submitter_id } }")["sample"]}
    commons.send("DELETE", f"/P/Q/entities/{ids['t']}")
    commons.send(
        "PUT", "/P/Q", [case("c", age=7), case("new", age=61), sample("s", "new", "skin"), sample("u", "c", "x")]
    )
    # What is in another project is in no release of this one.
    commons.send("PUT", "/P", {"type": "project", "code": "other", "name": "o", "dbgap_accession_number": "o"})
    commons.send("PUT", "/P/other", {"type": "study", "submitter_id": "st", "projects": {"code": "other"}})
    return before


@pytest.mark.parametrize("query", QUERIES)
def test_a_release_answers_as_the_project_did(commons: Commons, before: Before, query: str) -> None:
    assert commons.ask(query, before.release) == before[query]


@pytest.mark.parametrize("query", [each for each in QUERIES if "standard" not in each])
def test_without_it_the_project_as_it_is_now_is_read(commons: Commons, before: Before, query: str) -> None:
    assert commons.ask(query) != before[query]


def test_the_release_may_be_named_in_the_address(commons: Commons, before: Before) -> None:
    url, headers = commons.client.running.url + GRAPHQL, bearer(commons.token("alice"))
    answer = requests.post(url, params={"release": before.release}, json={"query": QUERIES[0]}, headers=headers)
    assert answer.json()["data"] == before[QUERIES[0]]


def test_a_table_of_a_release_has_what_it_held(commons: Commons, before: Before) -> None:
    query = '{ case(first: 0, order_by_asc: "submitter_id") { submitter_id samples { submitter_id } } }'
    answer = commons.client.post({"query": query, "release": before.release, "format": "csv"})
    assert answer.text == "submitter_id,samples.submitter_id\nc,s\nd,t\n"
    assert commons.client.post({"query": query, "release": "none", "format": "csv"}).status_code == 404


@pytest.mark.parametrize("query", ["{ transaction_log { id } }", "{ case { _transaction_logs_count } }"])
def test_a_release_has_no_log(commons: Commons, before: Before, query: str) -> None:
    answer = commons.client.post({"query": query, "release": before.release})
    assert answer.status_code == 400
    assert answer.json()["errors"] == ["A release has no submission log; ask for it without a release."]


def test_who_may_not_read_the_project_is_told_that_there_is_no_such_release(commons: Commons, before: Before) -> None:
    told = []
    for release in (before.release, "P-Q-99"):
        answer = commons.client.post({"query": "{ case { id } }", "release": release}, "bob")
        assert answer.status_code == 404
        assert answer.json()["data"] is None
        told.append(answer.json()["message"].replace(release, "…"))
    assert told[0] == told[1]
    assert commons.client.post({"query": "{ case { id } }", "release": before.release}, None).status_code == 401


@pytest.mark.parametrize("release", ["", "' or true --", "%", "%(p0)s", "P-Q-1\0", "P-Q", "é" * 5000])
def test_an_id_that_is_none_is_not_found(commons: Commons, before: Before, release: str) -> None:
    assert commons.client.post({"query": "{ case { id } }", "release": release}).status_code == 404


@pytest.mark.parametrize("release", [1, True, ["P-Q-1"], {"id": "P-Q-1"}])
def test_an_id_that_is_no_text_is_refused(commons: Commons, before: Before, release: Any) -> None:
    answer = commons.client.post({"query": "{ case { id } }", "release": release})
    assert (answer.status_code, answer.json()["message"]) == (400, "release must be a text.")


def test_the_database_reads_a_release_by_its_keys(commons: Commons, before: Before) -> None:
    engine = commons.client.running.app.database.engine
    with noted(engine) as statements:
        commons.ask("{ case { samples { kind } studies { submitter_id } } }", before.release)
    [(statement, parameters)] = statements
    with engine.connect() as connection:
        connection.exec_driver_sql("set local enable_seqscan = off")
        plan = "\n".join(connection.exec_driver_sql(f"explain {statement}", parameters).scalars())
    assert "release_nodes_pkey" in plan
    assert "release_edges_dst_id_idx" in plan
    assert "Seq Scan" not in plan
