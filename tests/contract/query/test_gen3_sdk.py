"""The official SDK, unmodified, asks a real query service."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from gen3.submission import Gen3Submission, Gen3SubmissionQueryError

BOTH = [{"project_id": "P-Q"}, {"project_id": "P-R"}]
FORM = '{case(first:20,project_id:"P-Q",quick_search:"2",order_by_desc:"updated_datetime"){id type submitter_id}}'
GRAPH = '{sample_cases_to_case_link:sample(with_links:["cases"],first:1,project_id:"P-Q"){submitter_id}}'
HOME = "{transaction_log(last:20){id submitter project_id created_datetime documents{doc_size doc} state}}"
QUERIES: list[tuple[str, Any]] = [
    ("{project(first:0){project_id}}", {"project": BOTH}),
    ('{study(with_path_to:{type:"program",name:"P"}){id}}', {"study": [{"id": "study1"}, {"id": "study2"}]}),
    ('{sample(with_path_to:{type:"case",submitter_id:"C3"}){id}}', {"sample": [{"id": "s3"}]}),
    ('{node(first:0,of_type:"image"){project_id}}', {"node": BOTH}),
    ('{_case_count(project_id:"P-Q")}', {"_case_count": 2}),
    ('{ case (first: 1, project_id: "P-R") { id } }', {"case": [{"id": "c3"}]}),
    (FORM, {"case": [{"id": "c2", "type": "case", "submitter_id": "C2"}]}),
    ("{project(first:10000){name:project_id}}", {"project": [{"name": "P-Q"}, {"name": "P-R"}]}),
    (GRAPH, {"sample_cases_to_case_link": [{"submitter_id": "S1"}]}),
    (HOME, {"transaction_log": []}),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[query for query, _ in QUERIES])
def test_the_queries_of_sdk_and_portal(sdk: Callable[[str], Gen3Submission], query: str, expected: Any) -> None:
    answer = sdk("carol").query(query)
    assert {key: by_content(value) for key, value in answer["data"].items()} == expected
    assert "errors" not in answer


def by_content(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, list) else value


def test_g65_node_types_are_listed(sdk: Callable[[str], Gen3Submission]) -> None:
    found = sdk("carol").query("{_node_type(first:-1){id}}")["data"]["_node_type"]
    assert {"program", "project", "case", "reading"} <= {each["id"] for each in found}


def test_variables_are_passed_on(sdk: Callable[[str], Gen3Submission]) -> None:
    query = "query ($id: String) { case(id: $id) { submitter_id } }"
    assert sdk("carol").query(query, '{"id": "c1"}')["data"] == {"case": [{"submitter_id": "C1"}]}
    assert sdk("carol").query(query, {"id": "c1"})["data"] == {"case": [{"submitter_id": "C1"}]}


def test_a_faulty_query_raises(sdk: Callable[[str], Gen3Submission]) -> None:
    with pytest.raises(Gen3SubmissionQueryError, match="prop_does_not_exist"):
        sdk("carol").query("{ case { prop_does_not_exist } }")


def test_the_schema_is_fetched_without_a_token(sdk: Callable[[str], Gen3Submission]) -> None:
    schema = sdk("carol").get_graphql_schema()
    assert {"case", "Node", "DataNode", "Root"} <= {each["name"] for each in schema["data"]["__schema"]["types"]}


def test_g53_every_node_type_can_be_asked_for(sdk: Callable[[str], Gen3Submission]) -> None:
    client = sdk("carol")
    types = [each["id"] for each in client.query("{ _node_type(first: 0) { id } }")["data"]["_node_type"]]
    query = " ".join(f"{each}(first: 1) {{ id type }} _{each}_count" for each in types)
    data = client.query(f"{{ {query} }}")["data"]
    assert data.keys() == {name for each in types for name in (each, f"_{each}_count")}
    assert all(row["type"] == each for each in types for row in data[each])
    assert len(client.query("{ __schema { types { name } } }")["data"]["__schema"]["types"]) > 30


def test_g53_a_query_that_cannot_be_read_is_a_400_with_errors(sdk: Callable[[str], Gen3Submission]) -> None:
    client = sdk("carol")
    url = f"{client._endpoint}/api/v0/submission/graphql"
    answer = requests.post(url, json={"query": "{ case { "}, auth=client._auth_provider, timeout=60)
    assert (answer.status_code, "Syntax Error" in answer.json()["errors"][0]) == (400, True)


def test_g55_programs_and_projects_are_nodes_too(sdk: Callable[[str], Gen3Submission]) -> None:
    found = sdk("carol").query('{ node(first: 100, category: "administrative") { type } }')["data"]["node"]
    assert {"program", "project", "case"} <= {each["type"] for each in found}
    assert sdk("carol").query('{ node(project_id: "NO-WHERE") { id } }')["data"] == {"node": []}
