"""Bad input gets a 400 that says what is wrong, soon, and the service goes on."""

import socket
from typing import Any

import pytest
import requests
from tests.integration.query.conftest import GRAPHQL, Client
from tests.tokens import bearer

FAULTS: list[tuple[str, str]] = [
    ("{ case { foo } }", 'Cannot query field "foo" on type "case".'),
    ("{ cas { id } }", 'Cannot query field "cas" on type "Root". Did you mean "case"?'),
    ("{ case { id }", "Syntax Error GraphQL (1:14) Expected Name, found EOF\n\n1: { case { id }\n                ^\n"),
    ("{ case-1: case { id } }", 'Syntax Error GraphQL (1:7) Expected Name, found Int "-1"'),
    ("", "Syntax Error GraphQL"),
    (
        '{ case(with_path_to: [{submitter_id: "a"}]) { id } }',
        'Argument "with_path_to" has invalid value [{submitter_id: "a"}].\n'
        'In element #0: In field "type": Expected "String!", found null.',
    ),
    ('{ case(with_links: ["zzz"]) { id } }', "Invalid link name 'zzz' on case."),
    ('{ case(order_by_asc: "zzz") { id } }', "Cannot order by zzz on case"),
    ('{ _case_count(created_after: "yesterday") }', "created_after: 'yesterday' is not a date or time"),
    ('{ case(age: "old") { id } }', 'Argument "age" has invalid value "old".\nExpected type "Float", found "old".'),
    *(
        (f"{{ case({argument}) {{ id }} }}", "'a\\x00' holds a NUL")
        for argument in (
            'id: "a\\u0000"',
            'ids: ["b", "a\\u0000"]',
            'primary_site: "a\\u0000"',
            'not: [{primary_site: "a\\u0000"}]',
            'consent_codes: "a\\u0000"',
            'scores: "a\\u0000"',
            'filter: {primary_site: {eq: "a\\u0000"}}',
            'with_path_to: {type: "sample", kind: "a\\u0000"}',
        )
    ),
    ("{ case }", "must have a selection of subfields"),
    ("{ case { ...f } } fragment f on sample { id }", "can never be of type 'sample'"),
    ("{ case { ...f } } fragment f on case { samples { cases { ...f } } }", "Cannot spread fragment 'f' within itself"),
    ("{ case { ...f } }", "Unknown fragment 'f'"),
    ('{ a: case(id: "c1") { id } a: case(id: "c2") { id } }', 'Fields "a" conflict'),
    ("query a { __typename } query b { __typename }", "Must provide operation name"),
    ("mutation { case { id } }", "answers queries, no mutations"),
    ("query ($x: Int!) { case(first: $x) { id } }", "'$x' of required type 'Int!' was not provided"),
    ("{ _node_type(order_by_asc: \"x\") { id } }", "Cannot order by x on _node_type"),
    ('{ case(filter: {age: {gt: "x"}}) { id } }', 'In field "age": In field "gt": Expected type "Float", found "x".'),
    ('{ case(filter: {age: {contains: "1"}}) { id } }', 'In field "age": In field "contains": Unknown field.'),
    ("{ case(filter: {agee: {eq: 1}}) { id } }", 'In field "agee": Unknown field. Did you mean "age"?'),
    ("{ case(filter: {age: 61}) { id } }", 'In field "age": Expected "NumberFilter", found not an object.'),
    (
        "{ case(filter: {or: [{}, null]}) { id } }",
        'In field "or": In element #1: Expected "Filter_case!", found null.',
    ),
    (
        '{ case(filter: {or: [{}, {created_datetime: {gt: "soon"}}]}) { id } }',
        "filter.or[1].created_datetime.gt: 'soon' is not a date or time",
    ),
    ("{ case(filter: %s) { id } }" % ("{not: " * 9 + "{}" + "}" * 9), "nested more than 8 deep"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "told"), FAULTS, ids=[query for query, _ in FAULTS])
def test_g53_faults_of_a_query_are_told(client: Client, query: str, told: str) -> None:
    errors = client.faults(query)
    assert any(told in error for error in errors), errors


def test_a_fault_in_one_root_field_leaves_the_others(client: Client) -> None:
    answer = client.post({"query": '{ bad: case(with_links: ["x"]) { id } _case_count }'})
    assert answer.status_code == 400
    assert answer.json() == {
        "data": {"bad": None, "_case_count": 3},
        "errors": ["Invalid link name 'x' on case."],
    }


FILTERED = "query ($f: Filter_case) { case(filter: $f) { id } }"


def nested(depth: int) -> Any:
    """A filter of so many negations."""
    inner: Any = {}
    for _ in range(depth):
        inner = {"not": inner}
    return inner


PLACES: list[tuple[str, Any, list[Any]]] = [
    ("{ case { foo } }", None, [{"line": 1, "column": 10}]),
    ("{ case {\n  id\n  foo bar } }", None, [{"line": 3, "column": 3}, {"line": 3, "column": 7}]),
    ("{ case { id }", None, [{"line": 1, "column": 14}]),
    ('{ case(filter: {age: {gt: "old"}}) { id } }', None, [{"line": 1, "column": 27}]),
    ("query ($x: Int!) { case(first: $x) { id } }", {"x": "y"}, [{"line": 1, "column": 8}]),
]


@pytest.mark.parametrize(("query", "variables", "places"), PLACES, ids=[query for query, _, _ in PLACES])
def test_faults_are_told_with_their_places(client: Client, query: str, variables: Any, places: list[Any]) -> None:
    answer = client.post({"query": query, "variables": variables})
    assert (answer.status_code, answer.json()["places"]) == (400, places)


def test_what_is_wrong_nowhere_in_the_text_has_no_place(client: Client) -> None:
    assert "places" not in client.post({"query": "{ __typename }", "operationName": "x"}).json()


BODIES: list[tuple[Any, str]] = [
    ({}, "query must be a text"),
    ({"query": 5}, "query must be a text"),
    (5, "must be a JSON object"),
    ({"query": "{ __typename }", "variables": "{"}, "Unable to parse variables"),
    ({"query": "{ __typename }", "variables": [1]}, "Unable to parse variables"),
    ({"query": "{ __typename }", "operationName": "x"}, 'Unknown operation named "x".'),
    ({"query": "{ __typename }", "operationName": 5}, "operationName must be a text"),
    (
        {"query": FILTERED, "variables": {"f": {"or": [{}, {"age": {"gt": "old"}}]}}},
        "got invalid value 'old' at 'f.or[1].age.gt'; Float cannot",
    ),
    ({"query": FILTERED, "variables": {"f": {"zzz": {"eq": 1}}}}, "'zzz' is not defined by type 'Filter_case'"),
    ({"query": FILTERED, "variables": {"f": nested(9)}}, "filter.not.not.not.not.not.not.not.not: and, or and not"),
    ({"query": FILTERED, "variables": {"f": nested(400)}}, "The variables are nested more than 64 deep."),
]


@pytest.mark.parametrize(("body", "told"), BODIES, ids=[told for _, told in BODIES])
def test_faults_of_a_body_are_told(client: Client, body: Any, told: str) -> None:
    answer = client.post(body)
    assert answer.status_code == 400
    assert answer.json()["data"] is None
    assert told in answer.json()["errors"][0]


def test_a_body_that_is_no_json_is_refused(client: Client) -> None:
    headers = bearer(client.token("alice"))
    answer = requests.post(client.running.url + GRAPHQL, data=b"{query", headers=headers)
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["errors"][0]


def chain(length: int, field: str) -> str:
    """Fragments that each select the next one twice, so that they stand for 2**length fields."""
    both = " ".join(f"{alias}: {field} {{ cases {{ ...f%d }} }}" for alias in "ab")
    parts = [f"fragment f{number} on case {{ {both % (number + 1, number + 1)} }}" for number in range(length)]
    return f"{{ case {{ ...f0 }} }} {' '.join(parts)} fragment f{length} on case {{ id }}"


TOKENS = "more than 3000 tokens"
BOMBS: dict[str, tuple[str, str]] = {
    "nesting": ("{ case " * 10_000, TOKENS),
    "lists": ("{ case(ids: " + "[" * 10_000, TOKENS),
    "aliases": ("{" + " ".join(f"a{i}: __typename" for i in range(6_000)) + "}", TOKENS),
    "repetition": ("{ case {" + " id" * 15_000 + " foo } }", TOKENS),
    "fragments": (" ".join(f"fragment f{i} on case {{ ...f{i + 1} }}" for i in range(3_000)), TOKENS),
    "doubling": (chain(12, "samples"), "More than 1500 fields"),
    "length": ('{ case(id: "' + "x" * 300_000 + '") { id } }', "longer than 131072 bytes"),
    "tokens": ("{ case(ids: [" + '"a" ' * 30_000 + "]) { id } }", TOKENS),
    "depth": ("{ case " + "{ samples { cases " * 20 + "{ id }" + "} }" * 20 + "}", "nested more than 32 deep"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_by_its_size_and_the_service_goes_on(client: Client, kind: str) -> None:
    text, told = BOMBS[kind]
    assert told in client.refused(text)[0]
    assert client.ask("{ _case_count }") == {"_case_count": 3}


PATH = {"type": "project"}
OBJECTS = "more than 5000 objects"
FLOODS: dict[str, tuple[str, Any, str]] = {
    "with_path_to": ("[WithPathToInput]", [PATH] * 10_000, OBJECTS),
    "with_path_to_any": ("[WithPathToInput]", [PATH] * 10_000, OBJECTS),
    "not": ("[NotPropertiesInput_case]", [{"age": number} for number in range(10_000)], OBJECTS),
    "with_links": ("[String]", [f"x{number}" for number in range(100_000)], "Invalid link name 'x0' on case."),
    "filter": ("Filter_case", {"or": [{"age": {"gt": number}} for number in range(10_000)]}, OBJECTS),
}


@pytest.mark.parametrize("argument", FLOODS)
def test_a_flood_in_the_variables_is_refused_too(client: Client, argument: str) -> None:
    kind, value, told = FLOODS[argument]
    query = f"query ($x: {kind}) {{ case({argument}: $x) {{ id }} }}"
    assert told in client.refused(query, {"x": value})[0]


LISTS: list[tuple[str, str, list[Any], int]] = [
    ("[String]", "case(submitter_id: $x, first: 0) { id }", [f"C{number}" for number in range(20_000)], 3),
    ("[String]", "case(ids: $x, first: 0) { id }", [f"c{number}" for number in range(20_000)], 3),
    ("[Float]", "case(age: $x, first: 0) { id }", list(range(60, 20_000)), 2),
    ("Filter_case", "case(filter: $x, first: 0) { id }", [f"C{number}" for number in range(2, 20_000)], 2),
    (
        "[String]",
        "reading(file_name: $x, first: 0) { id }",
        ['"', "\\", "{}", "%s", "", 'quo"te\n.csv', ","] * 3_000,
        1,
    ),
]


@pytest.mark.parametrize(("type_", "call", "values", "found"), LISTS, ids=[call for _, call, _, _ in LISTS])
def test_a_long_list_of_values_is_no_flood(client: Client, type_: str, call: str, values: Any, found: int) -> None:
    given = {"submitter_id": {"in": values}} if type_ == "Filter_case" else values
    (data,) = client.ask(f"query ($x: {type_}) {{ {call} }}", {"x": given}).values()
    assert len(data) == found


def test_a_request_that_is_too_long_is_not_read(client: Client) -> None:
    size = client.running.app.max_request_bytes + 1
    with socket.create_connection(("127.0.0.1", client.running.app.port), 30) as sock:
        sock.sendall(f"POST {GRAPHQL} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 400")


def test_many_fields_fit_into_one_statement(client: Client) -> None:
    wide = " ".join(f"a{number}: id" for number in range(980))
    (row,) = client.ask(f'{{ node(id: "c1") {{ ... on case {{ {wide} }} }} }}')["node"]
    assert len(row) == 980
    counts = " ".join(f"a{number}: _case_count" for number in range(740))
    data = client.ask(f"{{ ...f viewer {{ ...f }} }} fragment f on Root {{ {counts} }}")
    assert set(data.pop("viewer").values()) == set(data.values()) == {3}
