"""Pages by cursor give each record once, in the order of the whole list, and begin as fast at its end."""

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from tests.integration.query.conftest import Client, writing
from tests.integration.query.model import insert, program, project, record

from commonshub.core.dictionary import Dictionary
from commonshub.core.graph import Graph

# What an earlier dictionary may have left in a number is among the ages.
AGES: list[Any] = [1, 2, 2.0, 2.5, 10, 10, 1e3, -7, 2**60, "2", "old", True, False, None, [1], [], {"a": 1}]
TEXTS: list[Any] = ["a", "B", "b", "é", "", 'it\'s "50%" \\ \n', "null", 7, None]
MANY = 60


@pytest.fixture(scope="module")
def client(empty_client: Client, dictionary: Dictionary) -> Client:
    random = Random(6)
    records = [
        program("P"),
        project("P", "Q"),
        project("P", "R"),
        record("study", "st", "P-Q", ("projects", "project-Q")),
    ]
    for number in range(MANY):
        chosen = {
            "age": random.choice(AGES),
            "odd": random.choice(TEXTS),
            "scores": random.choice([[1], [1, 2], [], None]),
        }
        props = {key: value for key, value in chosen.items() if random.random() < 0.8}
        id_ = f"c{random.randrange(10**6):06}"
        records.append(record("case", id_, random.choice(["P-Q", "P-R"]), ("studies", "st"), **props))
        records.append(record("sample", f"s{number:03}", "P-Q", ("cases", id_), kind=random.choice(["x", "y"])))
        records.append(record("image", f"i{number:03}", "P-Q", ("cases", id_), dose=random.choice([0.5, 1, 2])))
    with writing(empty_client.running) as connection:
        insert(connection, Graph(dictionary, "graph"), records)
    return empty_client


def pages(client: Client, call: str, first: int, user: str = "alice") -> Iterator[list[str]]:
    """Pages of a list as its ids, until one is empty."""
    query = (
        f"query ($after: String) {{ found: {call.replace(')', f', first: {first}, after: $after)')} {{ id _cursor }} }}"
    )
    after = None
    while rows := client.ask(query, {"after": after}, user)["found"]:
        yield [row["id"] for row in rows]
        after = rows[-1]["_cursor"]


ORDERS = [
    'case(order_by_asc: "id")',
    'case(order_by_desc: "id")',
    'case(order_by_asc: "age")',
    'case(order_by_desc: "age")',
    'case(order_by_asc: "odd")',
    'case(order_by_desc: "odd")',
    'case(order_by_desc: "scores")',
    'case(order_by_asc: "age", order_by_desc: "odd")',
    'case(order_by_asc: "odd", order_by_desc: "age")',
    'case(order_by_asc: "type")',
    'case(order_by_asc: "age", project_id: "P-Q")',
    'case(with_path_to: {type: "image", dose: 1}, order_by_desc: "odd")',
    'node(order_by_desc: "type")',
    'node(order_by_asc: "age")',
    'node(of_type: ["image", "case", "project"], order_by_asc: "project_id")',
    'project(order_by_desc: "project_id")',
]


@pytest.mark.parametrize("first", [1, 7])
@pytest.mark.parametrize("call", ORDERS)
def test_pages_together_are_the_list(client: Client, call: str, first: int) -> None:
    whole = [row["id"] for row in client.ask(f"{{ found: {call.replace(')', ', first: 0)')} {{ id }} }}")["found"]]
    found = list(pages(client, call, first))
    assert [id_ for page in found for id_ in page] == whole
    assert {len(page) for page in found[:-1]} <= {first}


@pytest.mark.parametrize("call", ["case", 'case(order_by_asc: "odd")', 'case(order_by_desc: "age")'])
def test_a_cursor_and_an_offset_add_up(client: Client, call: str) -> None:
    args = call.replace("case", "").strip("()")
    whole = client.ask(f"{{ case(first: 0, {args or 'offset: 0'}) {{ id _cursor }} }}")["case"]
    for place in (0, 20, MANY - 2):
        query = f"query ($a: String) {{ case({args + ', ' if args else ''}first: 3, offset: 2, after: $a) {{ id }} }}"
        found = client.ask(query, {"a": whole[place]["_cursor"]})["case"]
        assert [row["id"] for row in found] == [row["id"] for row in whole[place + 3 : place + 6]]


def test_a_cursor_serves_below_a_link_too(client: Client) -> None:
    query = """query ($a: String) { study { cases(first: 25, order_by_desc: "odd", after: $a) { id _cursor }
                                            _links(first: 25, order_by_desc: "id", after: $b) { id _cursor } } }"""
    query = query.replace("($a: String)", "($a: String, $b: String)")
    found: dict[str, list[str]] = {"cases": [], "_links": []}
    cursors: dict[str, Any] = {"cases": None, "_links": None}
    for _ in range(3):
        (study,) = client.ask(query, {"a": cursors["cases"], "b": cursors["_links"]})["study"]
        for key, rows in study.items():
            found[key] += [row["id"] for row in rows]
            cursors[key] = rows[-1]["_cursor"]
    (whole,) = client.ask(
        '{ study { cases(first: 0, order_by_desc: "odd") { id } _links(first: 0, order_by_desc: "id") { id } } }'
    )["study"]
    assert found == {key: [row["id"] for row in rows] for key, rows in whole.items()}


def test_files_of_all_types_are_paged_together(client: Client, dictionary: Dictionary) -> None:
    found = [id_ for page in pages(client, 'datanode(order_by_desc: "id")', 7) for id_ in page]
    assert found == [f"i{number:03}" for number in reversed(range(MANY))]


def test_a_record_that_is_gone_leaves_its_place(client: Client, dictionary: Dictionary) -> None:
    with writing(client.running) as connection:
        insert(connection, Graph(dictionary, "graph"), [record("case", "gone", "P-Q", age=10)])
    rows = client.ask('{ case(first: 0, order_by_asc: "age") { id _cursor } }')["case"]
    (place,) = (number for number, row in enumerate(rows) if row["id"] == "gone")
    with writing(client.running) as connection:
        connection.execute(sa.text("delete from graph.node_case where node_id = 'gone'"))
    query = 'query ($a: String) { case(first: 2, order_by_asc: "age", after: $a) { id } }'
    found = client.ask(query, {"a": rows[place]["_cursor"]})["case"]
    assert found == [{"id": row["id"]} for row in rows[place + 1 : place + 3]]


def test_a_cursor_of_somebody_else_finds_only_what_the_caller_may_see(client: Client) -> None:
    rows = client.ask('{ case(first: 0, order_by_asc: "age") { id project_id _cursor } }')["case"]
    query = 'query ($a: String) { case(first: 0, order_by_asc: "age", after: $a) { id } }'
    for place in range(0, MANY, 10):
        found = client.ask(query, {"a": rows[place]["_cursor"]}, "bob")["case"]
        assert found == [{"id": row["id"]} for row in rows[place + 1 :] if row["project_id"] == "P-Q"]


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


AGE = "order_by_asc: age"
WRONG = [
    "",
    "x",
    "c1",
    "é",
    "=" * 9,
    "AAAA",
    cursor(),
    cursor(5),
    cursor(AGE),
    cursor(AGE, "1"),
    cursor(AGE, "1", None),
    cursor(AGE, 1, "c"),
    cursor(AGE, "old", "c"),
    cursor(AGE, "1e99999999", "c"),
    cursor(AGE, '"\\u0000"', "c"),
    cursor(AGE, "[" * 5000, "c"),
    cursor(AGE, "1", "\0"),
    cursor(AGE, "1", "c", "c"),
    cursor("order_by_asc: odd", "a", "c"),
    cursor("order_by_desc: age", "1", "c"),
    cursor("", "c"),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_cursor_is_refused(client: Client, wrong: str) -> None:
    query = 'query ($a: String) { case(order_by_asc: "age", after: $a) { id } }'
    (told,) = client.faults(query, {"a": wrong})
    assert told.startswith("after: this") or "NUL" in told


def test_the_database_finds_the_place_of_a_cursor_by_an_index(client: Client) -> None:
    query = "query ($a: String) { case(first: 2, after: $a) { id } }"
    client.ask(query, {"a": cursor("", "c500000")})
    [statement] = client.statements.texts
    with client.running.app.database.engine.connect() as connection:
        connection.exec_driver_sql("set local enable_seqscan = off; set local enable_bitmapscan = off")
        plan = connection.exec_driver_sql(f"explain {statement}", {"p0": "c500000"}).scalars().all()
    assert any("Index Cond" in line and "node_id >" in line for line in plan), plan
