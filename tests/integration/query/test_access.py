"""What a caller may not read does not exist for any field or argument."""

from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.integration.query.conftest import GRAPHQL, Client, readers
from tests.integration.query.test_query import ARGUMENTS, PATHS, ids

BOBS = {"std1", "program-P", "project-Q", "study1", "c1", "c2", "d1", "s1", "s2", "a1", "r1", "r2", "i1"}
CAROLS = BOBS | {"project-R", "study2", "c3", "d3", "s3", "a3", "r3", "i3"}
# Program P is bob's to see, but not that it leads to the study of another project.
LEADING_AWAY = {PATHS[-1][0]: {"program-P"}}


@pytest.mark.parametrize(("call", "expected"), ARGUMENTS + PATHS, ids=[call for call, _ in ARGUMENTS + PATHS])
@pytest.mark.parametrize(("user", "visible"), [("bob", BOBS), ("carol", CAROLS)])
def test_g63_no_argument_finds_what_the_caller_may_not_read(
    client: Client, call: str, expected: list[str], user: str, visible: set[str]
) -> None:
    call = call.replace("(", "(first: 0, ", 1) if "(" in call else f"{call}(first: 0)"
    hidden = LEADING_AWAY.get(call.replace("first: 0, ", ""), set()) if user == "bob" else set()
    found = client.ask(f"{{ found: {call} {{ id }} }}", user=user)["found"]
    assert ids(found) == sorted(set(expected) & visible - hidden)


def test_a_caller_without_a_project_finds_nothing_by_any_argument(client: Client) -> None:
    calls = [call for call, expected in ARGUMENTS + PATHS if "std1" not in expected]
    query = " ".join(f"a{number}: {call} {{ id }}" for number, call in enumerate(calls))
    found = client.ask(f"{{ {query} }}", user="nobody")
    assert {key: rows for key, rows in found.items() if rows} == {}


HIDDEN: list[tuple[str, Any]] = [
    ("{ _case_count _image_count }", {"_case_count": 2, "_image_count": 1}),
    ('{ _case_count(project_id: "P-R") }', {"_case_count": 0}),
    ("{ program { projects { code } } }", {"program": [{"projects": [{"code": "Q"}]}]}),
    ("{ program { _projects_count } }", {"program": [{"_projects_count": 1}]}),
    ("{ program { _links(first: 0) { id } } }", {"program": [{"_links": [{"id": "project-Q"}]}]}),
    ('{ program(with_path_to: {type: "case", id: "c3"}) { id } }', {"program": []}),
    ('{ program(without_path_to: {type: "case", id: "c3"}) { id } }', {"program": [{"id": "program-P"}]}),
    ('{ case(order_by_desc: "age", first: 1) { id } }', {"case": [{"id": "c1"}]}),
    ("{ case(offset: 2) { id } }", {"case": []}),
    ('{ node(id: "c3") { id } datanode(id: "r3") { id } }', {"node": [], "datanode": []}),
    ("{ _transaction_log_count }", {"_transaction_log_count": 0}),
]


@pytest.mark.parametrize(("query", "expected"), HIDDEN, ids=[query for query, _ in HIDDEN])
def test_g63_counts_links_paths_and_order_tell_nothing_of_other_projects(
    client: Client, query: str, expected: Any
) -> None:
    assert client.ask(query, user="bob") == expected


def test_faults_tell_nothing_of_other_projects(client: Client) -> None:
    for query in ('{ case(created_after: "c3") { id } }', '{ case(with_links: ["x"]) { id } }', "{ case { nope } }"):
        assert "P-R" not in str(client.faults(query, user="bob"))


@pytest.mark.parametrize("path", [GRAPHQL, GRAPHQL + "/"])
def test_g54_a_query_needs_a_token(client: Client, path: str) -> None:
    answer = requests.post(client.running.url + path, json={"query": "{ __typename }"})
    assert answer.status_code == 401
    assert answer.json()["message"] == "Authentication Error: no authorization header provided"


def test_a_right_of_another_service_or_method_does_not_count(client: Client) -> None:
    grants = client.running.app.grants
    kept = grants.snapshot
    try:
        for service, method in (("sheepdog", "read"), ("peregrine", "create"), ("fence", "*")):
            grants.snapshot = readers({"bob": ["/programs"]}, service, method)
            assert client.ask("{ _case_count }", user="bob") == {"_case_count": 0}
    finally:
        grants.snapshot = kept


def test_a_prefix_of_a_name_is_no_grant(client: Client) -> None:
    grants = client.running.app.grants
    kept = grants.snapshot
    try:
        grants.snapshot = readers({"bob": ["/programs/P/projects/Qx", "/programs/Px", "/programs/P/other/Q"]})
        assert client.ask("{ case { id } program { id } project { id } }", user="bob") == {
            "case": [],
            "program": [{"id": "program-P"}],
            "project": [],
        }
    finally:
        grants.snapshot = kept


def test_the_service_cannot_write_to_the_database(client: Client) -> None:
    engine = client.running.app.database.engine
    with engine.connect() as connection, pytest.raises(sa.exc.InternalError, match="read-only"):
        connection.execute(sa.text('delete from graph."node_case"'))
