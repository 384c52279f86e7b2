"""The routes beside the query itself, the submission log, and limits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphql
import pytest
import requests
import sqlalchemy as sa
from tests.integration.query.conftest import READERS, Client, readers, writing
from tests.tokens import bearer

from commonshub.core.dictionary import Dictionary
from commonshub.core.graph import Graph
from commonshub.core.policy import Snapshot
from commonshub.query.app import QueryApp


def get(client: Client, path: str, user: str | None = "alice") -> requests.Response:
    headers = bearer(client.token(user)) if user else {}
    return requests.get(client.running.url + path, headers=headers, timeout=60)


@pytest.mark.parametrize("path", ["/api/v0/submission/getschema", "/api/v0/submission/getschema/"])
def test_g53_the_schema_is_public_and_complete(client: Client, path: str) -> None:
    schema = graphql.build_client_schema(get(client, path, user=None).json()["data"])
    case = schema.get_type("case")
    assert isinstance(case, graphql.GraphQLObjectType)
    assert {"id", "samples", "_samples_count", "_links", "consent_codes"} <= set(case.fields)
    assert str(case.fields["age"].type) == "Float"
    assert str(case.fields["samples"].args["kind"].type) == "[String]"
    assert str(schema.type_map["WithPathToInput"].fields["type"].type) == "String!"
    assert schema.query_type is not None
    assert schema.query_type.name == "Root"


def test_variables_may_be_json_in_a_text(client: Client) -> None:
    query = "query ($id: String) { case(id: $id) { id } }"
    assert client.ask(query, '{"id": "c2"}') == {"case": [{"id": "c2"}]}
    assert len(client.ask(query, "")["case"]) == 3


def test_the_named_operation_is_run(client: Client) -> None:
    body = {"query": "query a { x: __typename } query b { y: __typename }", "operationName": "b"}
    assert client.post(body).json() == {"data": {"y": "Root"}}


def test_g67_datasets_count_the_records_of_each_project(client: Client) -> None:
    client.statements.texts.clear()
    answer = get(client, "/api/v0/datasets?nodes=case,reading")
    assert answer.json() == {
        "P-Q": {"case": 2, "reading": 2},
        "P-R": {"case": 1, "reading": 1},
        "X-Y": {"case": 0, "reading": 0},
    }
    assert len(client.statements.texts) == 1
    assert get(client, "/api/v0/datasets/?nodes=case", "bob").json() == {"P-Q": {"case": 2}}
    assert get(client, "/api/v0/datasets?nodes=case", "nobody").json() == {}


def test_g67_datasets_list_the_projects(client: Client) -> None:
    (project,) = get(client, "/api/v0/datasets/projects", "bob").json()["projects"]
    assert (project["name"], project["code"], project["dbgap_accession_number"]) == ("Project Q", "Q", "Q")
    assert get(client, "/api/v0/datasets/projects", "nobody").json() == {"projects": []}


@pytest.mark.parametrize(
    ("path", "user", "status"),
    [
        ("/api/v0/datasets", "alice", 400),
        ("/api/v0/datasets?nodes=zz", "alice", 400),
        ("/api/v0/datasets?nodes=project", "alice", 400),
        ("/api/v0/datasets?nodes=case", None, 401),
        ("/api/v0/datasets/projects", None, 401),
    ],
)
def test_g67_datasets_refuse_what_they_cannot_answer(client: Client, path: str, user: str | None, status: int) -> None:
    assert get(client, path, user).status_code == status


def test_a_policy_for_everybody_opens_names_and_counts_of_its_projects_and_nothing_more(client: Client) -> None:
    grants = client.running.app.grants
    kept = grants.snapshot
    try:
        given = readers({"open": ["/programs/P/projects/R"]})
        grants.snapshot = Snapshot(policies=given.policies, groups={"anonymous": ("open",)})
        assert get(client, "/api/v0/datasets?nodes=case", None).json() == {"P-R": {"case": 1}}
        (project,) = get(client, "/api/v0/datasets/projects", None).json()["projects"]
        assert project["code"] == "R"
        assert client.post({"query": "{ _case_count }"}, None).status_code == 401
    finally:
        grants.snapshot = kept


def test_g67_counts_can_be_made_public(
    client: Client, run_service: Callable[..., Any], dictionary_file: Path, token: Callable[..., str]
) -> None:
    running = run_service(QueryApp, Commons={"dictionary": str(dictionary_file)}, QueryApp={"public_datasets": True})
    public = Client(running, token)
    assert get(public, "/api/v0/datasets?nodes=case", None).json()["P-R"] == {"case": 1}
    assert public.post({"query": "{ _case_count }"}, None).status_code == 401


def test_a_query_beyond_the_time_limit_is_told_what_to_narrow(
    client: Client, run_service: Callable[..., Any], dictionary_file: Path, token: Callable[..., str]
) -> None:
    running = run_service(
        QueryApp, Commons={"dictionary": str(dictionary_file)}, DatabaseSettings={"statement_timeout_ms": 200}
    )
    running.hold(readers(READERS))
    slow = Client(running, token)
    with writing(client.running) as connection:
        connection.execute(sa.text('lock table graph."node_case" in access exclusive mode'))
        (error,) = slow.faults("{ case { id } }")
    assert "time limit" in error
    assert "project_id" in error


@pytest.fixture(scope="module")
def logged(client: Client, dictionary: Dictionary) -> Client:
    """The client, with transactions of two projects in the submission log."""
    graph = Graph(dictionary, "graph")
    log = {"submitter": "dave", "role": "update", "program": "P", "state": "SUCCEEDED", "closed": False}
    entity = {"id": "c1", "valid": True, "unique_keys": [{"a": 1}], "warnings": []}
    response = {"transaction_id": 1, "success": True, "code": 200, "entities": [entity]}
    cases = [{"id": "c9", "submitter_id": "C9"}]
    with writing(client.running) as connection:
        for number, project in ((1, "Q"), (2, "R"), (3, "Q")):
            row = {**log, "id": number, "project": project, "canonical_json": [{"type": "case"}]}
            more = {"is_dry_run": number == 3, "committed_by": 12345 if number == 1 else None}
            connection.execute(graph.transaction_logs.insert(), row | more)
            told = {**response, "entities": [entity | ({"related_cases": cases} if number == 2 else {})]}
            document = {"transaction_id": number, "doc_format": "JSON", "doc": "dé", "response_json": told}
            connection.execute(graph.transaction_documents.insert(), document)
        snapshot = {"entity_id": "c1", "transaction_id": 1, "action": "create", "old_props": {}, "new_props": {"a": 1}}
        connection.execute(graph.transaction_snapshots.insert(), snapshot)
    return client


def test_g66_the_submission_log_shows_documents_snapshots_and_responses(logged: Client) -> None:
    (log,) = logged.ask(
        """{ transaction_log(id: 1) { id type state project_id is_dry_run committable canonical_json
               snapshots { id action new_props }
               documents { doc doc_size response { success code
                 entities { id valid unique_keys errors { type } } } } } }"""
    )["transaction_log"]
    assert log == {
        "id": "1",
        "type": "upload",
        "state": "SUCCEEDED",
        "project_id": "P-Q",
        "is_dry_run": False,
        "committable": False,
        "canonical_json": '[{"type": "case"}]',
        "snapshots": [{"id": "c1", "action": "create", "new_props": '{"a": 1}'}],
        "documents": [
            {
                "doc": "dé",
                "doc_size": 3,
                "response": {
                    "success": True,
                    "code": 200,
                    "entities": [{"id": "c1", "valid": True, "unique_keys": '[{"a": 1}]', "errors": []}],
                },
            }
        ],
    }


DETAILS = """query TransactionDetailsQuery {
  item: transaction_log {
    id project_id type state committed_by submitter is_dry_run closed created_datetime related_cases { id submitter_id }
    documents { id transaction_id name doc doc_size doc_format response_json
      response { transaction_id message released_entity_count cases_related_to_updated_entities_count
        entities { id unique_keys action type warnings related_cases { id submitter_id }
          errors { keys type message dependents { id type } } } } } } }"""


def test_g66_all_details_of_transactions_come_as_gen3_has_them(logged: Client) -> None:
    """The portal's own query, with all that there is."""
    first, second, third = logged.ask(DETAILS)["item"]
    assert [each["committed_by"] for each in (first, second, third)] == ["12345", None, None]
    cases = [{"id": "c9", "submitter_id": "C9"}]
    assert [each["related_cases"] for each in (first, second, third)] == [[], cases, []]
    [document] = second["documents"]
    assert document["transaction_id"] == "2"
    assert document["response"]["transaction_id"] == "1"
    assert document["response"]["released_entity_count"] is None
    [entity] = document["response"]["entities"]
    assert (entity["warnings"], entity["related_cases"], entity["errors"]) == ("[]", cases, [])
    assert third["documents"][0]["response"]["entities"][0]["related_cases"] == []


LOGS: list[tuple[str, list[str]]] = [
    ("", ["1", "2", "3"]),
    ("(last: 2)", ["3", "2"]),
    ("(first: 1, offset: 1)", ["2"]),
    ("(after: 1)", ["2", "3"]),
    ('(after: "1", first: 1)', ["2"]),
    ("(after: 3, last: 1)", ["2"]),
    ("(after: 1, last: 5)", []),
    ('(after: null, order_by_asc: "id")', ["1", "2", "3"]),
    ('(after: 1, project: "Q")', ["3"]),
    ('(type: "upload")', ["1", "2", "3"]),
    ('(type: "delete")', []),
    ("(quick_search: 2)", ["2"]),
    ('(project_id: "P-R")', ["2"]),
    ('(project: "Q", is_dry_run: true)', ["3"]),
    ("(committable: true)", ["3"]),
    ("(committable: false)", ["1", "2"]),
    ('(entities: ["c1"])', ["1"]),
    ("(committed_by: 12345)", ["1"]),
    ('(committed_by: "54321")', []),
    ('(related_cases: ["c9", "c8"])', ["2"]),
    ('(related_cases: ["c8", null])', []),
    ("(related_cases: [])", []),
    ('(order_by_desc: "project")', ["2", "1", "3"]),
    ('(order_by_asc: "project_id")', ["1", "3", "2"]),
]


@pytest.mark.parametrize(("args", "expected"), LOGS, ids=[args for args, _ in LOGS])
def test_g66_arguments_choose_transactions(logged: Client, args: str, expected: list[str]) -> None:
    found = logged.ask(f"{{ transaction_log{args} {{ id }} }}")["transaction_log"]
    assert [each["id"] for each in found] == expected


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ('(after: "x")', "after: 'x' is no id of a transaction"),
        (f'(after: "{"9" * 30}")', "is no id of a transaction"),
        ("(after: -1)", "after: '-1' is no id"),
        ('(after: 1, order_by_asc: "state")', "after: transactions are paged in the order of their ids"),
    ],
)
def test_a_page_of_the_log_begins_behind_a_transaction(logged: Client, args: str, told: str) -> None:
    [error] = logged.faults(f"{{ transaction_log{args} {{ id }} }}")
    assert told in error


def test_transactions_of_other_projects_do_not_exist(logged: Client) -> None:
    data = logged.ask("{ transaction_log { id } _transaction_log_count(after: 1) }", user="bob")
    assert data == {"transaction_log": [{"id": "1"}, {"id": "3"}], "_transaction_log_count": 2}
    assert logged.ask("{ transaction_log(after: 2, last: 5) { id } }", user="bob")["transaction_log"] == [{"id": "1"}]


def test_a_record_knows_its_transactions(logged: Client) -> None:
    data = logged.ask('{ case(ids: ["c1", "c2"]) { _transaction_logs { id } _transaction_logs_count } }')
    assert data["case"] == [
        {"_transaction_logs": [{"id": "1"}], "_transaction_logs_count": 1},
        {"_transaction_logs": [], "_transaction_logs_count": 0},
    ]
