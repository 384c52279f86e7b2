"""Ranges, orders and pages of a property are read from the index that an operator adds on it."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from tests.commands import run_here
from tests.integration.query.conftest import Client, writing
from tests.integration.query.model import insert, program, project, record

from commonshub.core.dictionary import Dictionary
from commonshub.core.graph import Graph
from commonshub.query.commands import main
from commonshub.query.indexes import index_name
from commonshub.query.scope import Scope

MANY = 2_000
AGE, ODD = index_name("case", "age", "jsonb"), index_name("case", "odd", "text")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def client(empty_client: Client, dictionary: Dictionary) -> Client:
    random = Random(6)
    ages = [random.randrange(50) if random.random() < 0.9 else None for _ in range(MANY)]
    cases = [record("case", f"c{n:04}", "P-Q", age=age, odd=str(age)) for n, age in enumerate(ages)]
    with writing(empty_client.running) as connection:
        insert(connection, Graph(dictionary, "graph"), [program("P"), project("P", "Q"), *cases])
    return empty_client


@pytest.fixture(scope="module")
def run(client: Client) -> Run:
    url = client.running.app.database.settings.url

    def run(*words: str) -> tuple[int, str, str]:
        done = run_here(main, [*words, f"--DatabaseSettings.url={url}"])
        return done.returncode, done.stdout, done.stderr

    return run


def listed(run: Run) -> list[tuple[list[str] | None, bool]]:
    return [(each["of"], each["valid"]) for each in json.loads(run("index", "list", "--json")[1])]


def plan(client: Client, query: str, variables: Any = None) -> str:
    """PostgreSQL's plan of a query, where it would rather not read whole tables, as it would not if they were large."""
    app = client.running.app
    found = app.answers.plan(query, variables or {}, None, Scope(everything=True))
    with app.database.engine.connect() as connection:
        connection.exec_driver_sql("set local enable_seqscan = off; set local enable_bitmapscan = off")
        return "\n".join(connection.exec_driver_sql(f"explain {found.statement}", dict(found.parameters)).scalars())


QUERIES = [
    "{ case(filter: {age: {gt: 48}}, first: 0) { id } }",
    "{ _case_count(filter: {age: {gte: 3, lt: 5}}) }",
    '{ case(order_by_asc: "age", first: 5) { id } }',
    '{ case(order_by_desc: "age", first: 5) { id } }',
]
PAGES = [
    'query ($a: String) { case(order_by_asc: "age", first: 5, after: $a) { id _cursor } }',
    'query ($a: String) { case(order_by_desc: "age", first: 5, after: $a) { id _cursor } }',
]


def test_ranges_orders_and_pages_are_read_from_an_index_that_was_added(client: Client, run: Run) -> None:
    before = [client.ask(query) for query in [*QUERIES, *PAGES]]
    assert [AGE in plan(client, query) for query in QUERIES] == [False] * len(QUERIES)
    status, told, _ = run("index", "add", "case", "age")
    assert (status, told.splitlines()[-1]) == (0, "The index query_node_case_age_jsonb is in use.")
    assert listed(run) == [(["case", "age"], True)]
    assert [client.ask(query) for query in [*QUERIES, *PAGES]] == before
    for query in QUERIES:
        assert AGE in plan(client, query), query
    for query in PAGES:
        cursor = client.ask(query)["case"][-1]["_cursor"]
        found = plan(client, query, {"a": cursor})
        # Every range behind a cursor is one of the index, bounded on the key that the list is ordered by.
        assert found.count(f"using {AGE}") == found.count("Index Cond"), found
        assert "Seq Scan" not in found
    assert run("index", "add", "case", "age")[0] == 0
    assert run("index", "drop", "case", "age")[0] == 0
    assert listed(run) == []


def test_an_order_of_texts_has_its_index_too(client: Client, run: Run) -> None:
    run("index", "add", "case", "odd")
    assert ODD in plan(client, '{ case(order_by_asc: "odd", first: 5) { id } }')
    assert ODD in plan(client, '{ _case_count(filter: {odd: {lt: "1"}}) }')
    run("index", "drop", "case", "odd")


def test_an_index_that_was_broken_off_is_built_anew(client: Client, run: Run) -> None:
    with writing(client.running) as connection:
        connection.exec_driver_sql("create index query_node_case_age_jsonb on graph.node_case (acl)")
        connection.exec_driver_sql(
            "update pg_index set indisvalid = false where indexrelid = 'graph.query_node_case_age_jsonb'::regclass"
        )
    assert listed(run) == [(["case", "age"], False)]
    assert "not in use" in run("index", "list")[1]
    assert run("index", "add", "case", "age")[0] == 0
    assert listed(run) == [(["case", "age"], True)]
    assert AGE in plan(client, QUERIES[0])
    run("index", "drop", "case", "age")


def test_an_index_of_a_property_of_another_kind_is_no_longer_its_index(client: Client, run: Run) -> None:
    with writing(client.running) as connection:
        connection.exec_driver_sql(
            "create index query_node_case_age_text on graph.node_case ((_props->>'age'), node_id)"
        )
    assert listed(run) == [(None, True)]
    assert run("index", "add", "case", "age")[0] == 0
    assert listed(run) == [(["case", "age"], True), (None, True)]
    assert [run("index", "drop", "case", "age")[0] for _ in range(3)] == [0, 0, 1]


def test_an_index_of_a_property_that_is_gone_is_listed_and_dropped(client: Client, run: Run) -> None:
    with writing(client.running) as connection:
        connection.exec_driver_sql("create index query_node_case_gone_text on graph.node_case ((_props->>'gone'))")
    assert listed(run) == [(None, True)]
    assert "query_node_case_gone_text: of no use with this dictionary" in run("index", "list")[1]
    assert run("index", "drop", "case", "gone")[0] == 0
    assert listed(run) == []


def test_the_graph_leaves_these_indexes_alone(client: Client, run: Run, dictionary: Dictionary) -> None:
    run("index", "add", "case", "age")
    with writing(client.running) as connection:
        graph = Graph(dictionary, "graph")
        assert graph.create(connection) == []
        graph.withdraw(connection, graph)
    assert listed(run) == [(["case", "age"], True)]
    run("index", "drop", "case", "age")


FAULTS = [
    (("add", "zz", "age"), "no node type zz"),
    (("add", "case", "zz"), "case has no property zz"),
    (("add", "case", "type"), "case has no property type"),
    (("add", "case", "id"), "needs no index of its own"),
    (("add", "case", "alive"), "needs no index of its own"),
    (("add", "case", "scores"), "needs no index of its own"),
    (("drop", "case", "age"), "There is no index on case.age."),
]


@pytest.mark.parametrize(("words", "told"), FAULTS, ids=[told for _, told in FAULTS])
def test_what_cannot_be_done_is_told(run: Run, words: tuple[str, ...], told: str) -> None:
    status, _, error = run("index", *words)
    assert status == 1
    assert told in error


def test_two_do_not_build_the_same_index(client: Client, run: Run) -> None:
    with writing(client.running) as connection:
        connection.execute(
            sa.text("select pg_advisory_lock(hashtextextended('commonshub.graph.query_node_case_age_jsonb', 0))")
        )
        status, _, error = run("index", "add", "case", "age")
    assert status == 1
    assert "by somebody else" in error


def test_a_value_too_long_for_an_index_is_told_and_nothing_stays(
    client: Client, run: Run, dictionary: Dictionary
) -> None:
    random = Random(1)
    long = "".join(chr(random.randrange(0x4E00, 0x9FA5)) for _ in range(5_000))
    with writing(client.running) as connection:
        insert(connection, Graph(dictionary, "graph"), [record("study", "st", "P-Q", topic=long)])
    status, _, error = run("index", "add", "study", "topic")
    assert (status, error.strip()) == (1, "A value of study.topic is too long for an index.")
    assert listed(run) == []


def test_long_names_stay_apart_and_within_what_postgresql_keeps() -> None:
    names = {index_name("n" * 52, each * 60, type_) for each in "ab" for type_ in ("text", "jsonb")}
    names.add(index_name("m" * 52, "a" * 60, "text"))
    assert len(names) == 5
    assert max(map(len, names)) <= 63
