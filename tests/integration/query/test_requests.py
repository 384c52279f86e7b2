"""Queries in an address, and several in one request."""

import json
from typing import Any

import pytest
import requests
from tests.integration.query.conftest import GRAPHQL, Client
from tests.tokens import bearer

CASES = '{ case(first: 0, order_by_asc: "id") { id } }'


def get(client: Client, user: str | None = "alice", **arguments: str) -> requests.Response:
    headers = bearer(client.token(user)) if user else {}
    return requests.get(client.running.url + GRAPHQL, params=arguments, headers=headers, timeout=60)


def test_an_address_asks_what_a_body_does(client: Client) -> None:
    client.statements.texts.clear()
    query = "query one($id: String) { case(id: $id) { id } } query two { __typename }"
    answer = get(client, query=query, variables='{"id": "c2"}', operationName="one")
    assert (answer.status_code, answer.json()) == (200, {"data": {"case": [{"id": "c2"}]}})
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert len(client.statements.texts) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "query must be a text."),
        ({"query": "{ case"}, "Syntax Error"),
        ({"query": "{ nope }"}, "Cannot query field"),
        ({"query": CASES, "variables": "["}, "Unable to parse variables"),
        ({"query": CASES, "variables": "[1]"}, "Unable to parse variables"),
        ({"query": "mutation { x }"}, ""),
        ({"query": CASES, "release": "P-Q-1"}, "no release"),
    ],
    ids=["nothing", "grammar", "schema", "no JSON", "no object", "mutation", "release"],
)
def test_a_fault_in_an_address_is_told(client: Client, arguments: dict[str, str], told: str) -> None:
    answer = get(client, **arguments)
    assert 400 <= answer.status_code < 500
    assert told in answer.json()["errors"][0]


def test_an_address_needs_a_token_and_sees_what_its_caller_may(client: Client) -> None:
    assert get(client, None, query=CASES).status_code == 401
    assert get(client, "bob", query=CASES).json()["data"]["case"] == [{"id": "c1"}, {"id": "c2"}]


def test_a_list_is_answered_by_a_list_in_order(client: Client) -> None:
    client.statements.texts.clear()
    entries = [
        {"query": "{ __typename }"},
        {"query": CASES},
        {"query": "query ($id: String) { case(id: $id) { id } }", "variables": {"id": "c3"}},
    ]
    answer = client.post(entries)
    cases = [{"id": "c1"}, {"id": "c2"}, {"id": "c3"}]
    assert (answer.status_code, answer.json()) == (
        200,
        [{"data": {"__typename": "Root"}}, {"data": {"case": cases}}, {"data": {"case": cases[2:]}}],
    )
    # A statement for each that asks the database, from one state of it.
    assert [text.partition(" ")[0] for text in client.statements.texts] == ["set", "select", "select"]


def test_a_fault_in_one_entry_is_no_matter_to_the_others(client: Client) -> None:
    entries: list[dict[str, Any]] = [
        {"query": "{ nope }"},
        {"query": 5},
        {"query": CASES, "release": "none"},
        {"query": '{ case(created_after: "x") { id } _case_count }'},
        {"query": "{ _case_count }"},
    ]
    first, second, third, fourth, fifth = client.post(entries).json()
    assert "Cannot query field" in first["errors"][0]
    assert second["errors"] == ["query must be a text."]
    assert "no release" in third["errors"][0]
    assert (fourth["data"], len(fourth["errors"])) == ({"case": None, "_case_count": 3}, 1)
    assert fifth == {"data": {"_case_count": 3}}


@pytest.mark.parametrize(
    ("body", "told"),
    [([], "is empty"), ([1], "Entry 0"), ([{"query": "{ __typename }"}] * 51, "at most 50")],
    ids=["empty", "no object", "too many"],
)
def test_a_batch_that_is_none_is_refused(client: Client, body: Any, told: str) -> None:
    answer = client.post(body)
    assert answer.status_code == 400
    assert told in json.dumps(answer.json()["errors"])


def test_every_entry_sees_what_its_caller_may(client: Client) -> None:
    answers = client.post([{"query": CASES}, {"query": "{ _case_count }"}], user="bob").json()
    assert [each["data"] for each in answers] == [{"case": [{"id": "c1"}, {"id": "c2"}]}, {"_case_count": 2}]
