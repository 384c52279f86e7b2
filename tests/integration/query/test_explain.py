"""An administrator is told how an answer is found, and nobody else is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.integration.query.conftest import GRAPHQL, Client
from tests.tokens import bearer

from commonshub.core.policy import Binding, Permission, Policy, Snapshot, User

GRANTS = {
    "alice": [("peregrine", "read", "programs"), ("fence", "*", "services/fence/admin")],
    "bob": [("peregrine", "read", "programs/P/projects/Q")],
    "carol": [("peregrine", "read", "programs"), ("fence", "read", "services/fence/admin/x")],
}
QUERY = '{ case(filter: {age: {gt: 5}}, first: 2, order_by_asc: "id") { id } }'


@pytest.fixture(scope="module")
def told(client: Client) -> Iterator[Client]:
    kept = client.running.app.grants.snapshot
    policies = {
        f"{user}{number}": Policy(
            f"{user}{number}", frozenset([Permission(service, method)]), frozenset([tuple(path.split("/"))])
        )
        for user, grants in GRANTS.items()
        for number, (service, method, path) in enumerate(grants)
    }
    users = {
        user: User(policies=tuple(Binding(f"{user}{number}") for number in range(len(grants))))
        for user, grants in GRANTS.items()
    }
    client.running.app.grants.snapshot = Snapshot(policies=policies, users=users)
    yield client
    client.running.app.grants.snapshot = kept


def ask(client: Client, query: str, user: str | None, explain: str = "1", **more: Any) -> requests.Response:
    return requests.post(
        client.running.url + GRAPHQL,
        params={"explain": explain},
        json={"query": query, **more},
        headers=bearer(client.token(user)) if user else {},
        timeout=60,
    )


def test_the_statement_its_parameters_and_the_plan_come_beside_the_data(told: Client) -> None:
    told.statements.texts.clear()
    answer = ask(told, QUERY, "alice")
    assert answer.status_code == 200
    body = answer.json()
    assert [row["id"] for row in body["data"]["case"]] == ["c1", "c2"]
    statement, explained = told.statements.texts
    assert body["explain"]["statement"] == statement
    assert explained == f"explain (format json) {statement}"
    assert body["explain"]["parameters"] == {"p0": "5.0"}
    assert "Plan" in body["explain"]["plan"][0]


@pytest.mark.parametrize("path", ["with_path_to", "with_path_to_any", "without_path_to"])
def test_paths_are_joined_and_not_looked_up_record_by_record(told: Client, path: str) -> None:
    answer = ask(told, f'{{ case({path}: [{{type: "image"}}, {{type: "demographic"}}]) {{ id }} }}', "alice")
    assert "SubPlan" not in json.dumps(answer.json()["explain"]["plan"])


def test_a_query_in_the_address_is_explained_too(told: Client) -> None:
    for user, status in (("alice", 200), ("bob", 403)):
        answer = requests.get(
            told.running.url + GRAPHQL,
            params={"explain": "1", "query": QUERY},
            headers=bearer(told.token(user)),
            timeout=60,
        )
        assert (answer.status_code, "explain" in answer.json()) == (status, status == 200)


def test_several_queries_are_not_explained_at_once(told: Client) -> None:
    for user, status in (("alice", 400), ("bob", 403)):
        answer = requests.post(
            told.running.url + GRAPHQL,
            params={"explain": "1"},
            json=[{"query": QUERY}],
            headers=bearer(told.token(user)),
            timeout=60,
        )
        assert answer.status_code == status


def test_what_asks_no_database_has_no_plan(told: Client) -> None:
    explained = ask(told, "{ __typename }", "alice").json()["explain"]
    assert explained == {"statement": None, "parameters": {}, "plan": None}


def test_a_fault_in_one_root_field_leaves_the_plan_of_the_others(told: Client) -> None:
    answer = ask(told, '{ bad: case(with_links: ["x"]) { id } _case_count }', "alice")
    assert answer.status_code == 400
    assert answer.json()["explain"]["plan"]


@pytest.mark.parametrize("user", ["bob", "carol"])
@pytest.mark.parametrize("explain", ["1", "true", "yes", ""])
def test_nobody_else_is_told(told: Client, user: str, explain: str) -> None:
    told.statements.texts.clear()
    answer = ask(told, QUERY, user, explain)
    assert answer.status_code == 403
    assert answer.json()["data"] is None
    assert "explain" not in answer.json()
    assert told.statements.texts == []


def test_who_is_not_signed_in_is_not_told(told: Client) -> None:
    assert ask(told, QUERY, None).status_code == 401


@pytest.mark.parametrize("explain", ["0", "false"])
def test_who_does_not_ask_is_not_told(told: Client, explain: str) -> None:
    for user in ("alice", "bob"):
        assert "explain" not in ask(told, QUERY, user, explain).json()


def test_a_table_is_not_explained(told: Client) -> None:
    answer = ask(told, QUERY, "alice", format="csv")
    assert (answer.status_code, answer.json()["data"]) == (400, None)
    assert "leave out format" in answer.json()["errors"][0]
