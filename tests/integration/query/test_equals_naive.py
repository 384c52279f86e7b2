"""The answers of the planner's statements are those of a naive evaluator, over random graphs, queries and callers."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.query.model import Record, insert, program, project, record
from tests.integration.query.naive import Field, World, flat, lists, settled

from commonshub.core.dictionary import Dictionary
from commonshub.core.errors import BadRequest
from commonshub.core.graph import Graph, edge_table, node_table
from commonshub.core.releases import Releases, link_key
from commonshub.query import store
from commonshub.query.answers import Answers
from commonshub.query.document import Limits
from commonshub.query.formats import typed
from commonshub.query.scope import Scope
from commonshub.query.sql import GraphTables, ReleaseTables

# The last two projects share the id A-B-C.
PROJECTS = [("P", "Q"), ("P", "R"), ("A", "B-C"), ("A-B", "C")]
PARENTS = {
    "study": ["projects"],
    "case": ["studies"],
    "demographic": ["cases"],
    "sample": ["cases"],
    "aliquot": ["samples", "cases"],
    "reading": ["aliquots", "samples"],
    "image": ["cases"],
}
SCALARS = {
    "study": {"topic": ["lungs", "skin"]},
    "case": {"age": [1, 2, 30], "primary_site": ["Lung", "Skin"], "alive": [True, False]},
    "demographic": {"gender": ["male", "female"]},
    "sample": {"kind": ["blood", "tissue"]},
    "aliquot": {},
    "reading": {"file_size": [5, 40, 300]},
    "image": {"dose": [0.5, 2.25]},
}


def some(random: Random, values: Sequence[Any], most: int, least: int = 0) -> list[Any]:
    """A few of `values`, each at most once."""
    return random.sample(values, min(len(values), random.randint(least, most)))


def a_graph(random: Random) -> list[Record]:
    """A few records of each type, linked at random, also across projects."""
    records = [program(name) for name in ("P", "A", "A-B")] + [project(*pair) for pair in PROJECTS]
    known: dict[str, list[str]] = {"projects": [f"project-{code}" for _, code in PROJECTS]}
    for type_, links in PARENTS.items():
        ids = [f"{type_}{number}" for number in range(random.randint(0, 4))]
        for id_ in ids:
            parents = [(link, parent) for link in links for parent in some(random, known[link], 2)]
            props = {key: random.choice(values) for key, values in SCALARS[type_].items() if random.random() < 0.8}
            if type_ == "case":
                props["consent_codes"] = some(random, ["cc1", "xcc1", "cc2"], 3)
            records.append(record(type_, id_, "-".join(random.choice(PROJECTS)), *sorted(parents), **props))
        known[{"study": "studies"}.get(type_, f"{type_}s")] = ids
    return records


def steps(dictionary: Dictionary, type_: str) -> dict[str, str]:
    up = {link.name: link.target for link in dictionary.nodes[type_].links}
    return {**{link.backref: link.source for link in dictionary.backlinks(type_)}, **up}


def a_path(random: Random) -> dict[str, Any]:
    type_ = random.choice([*PARENTS, "project", "program"])
    chosen = some(random, sorted(SCALARS.get(type_, {})), 1)
    return {"type": type_, **{key: random.choice(SCALARS[type_][key]) for key in chosen}}


def a_filter(random: Random, type_: str, depth: int = 2) -> dict[str, Any]:
    """An expression of a few terms, also of none."""
    known = {**SCALARS[type_], "id": [f"{type_}{number}" for number in range(4)]}
    terms: dict[str, Any] = {}
    for key in some(random, [*known, "and", "or", "not"] if depth else sorted(known), 2):
        match key:
            case "and" | "or":
                terms[key] = [a_filter(random, type_, depth - 1) for _ in range(random.choice([0, 1, 2, 2]))]
            case "not":
                terms[key] = a_filter(random, type_, depth - 1)
            case _:
                terms[key] = a_comparison(random, known[key])
    if type_ == "case" and random.random() < 0.2:
        operator = random.choice(["contains_all", "contains_any"])
        terms["consent_codes"] = {operator: some(random, ["cc1", "xcc1", "cc2"], 2)}
    return terms


def a_comparison(random: Random, values: Sequence[Any]) -> dict[str, Any]:
    value = random.choice(values)
    operators: dict[str, Any] = {"eq": value, "ne": value, "exists": random.random() < 0.5}
    if not isinstance(value, bool):
        operators |= dict.fromkeys(("lt", "lte", "gt", "gte"), value)
        operators |= {key: some(random, [*values, None], 3) for key in ("in", "nin")}
    if isinstance(value, str):
        operators |= dict.fromkeys(("contains", "prefix"), value[: random.randint(0, 3)].upper())
    return {key: operators[key] for key in some(random, sorted(operators), 2)}


def an_argument(random: Random, dictionary: Dictionary, type_: str) -> dict[str, Any]:
    links = sorted(steps(dictionary, type_))
    key = random.choice([*_ARGUMENTS, *SCALARS.get(type_, {})])
    match key:
        case "filter":
            return {key: a_filter(random, type_)} if type_ in SCALARS else {}
        case "ids":
            return {key: some(random, [f"{type_}{number}" for number in range(4)], 3)}
        case "quick_search":
            return {key: random.choice(["1", "SE", "_", ""])}
        case "with_links" | "with_links_any" | "without_links":
            return {key: some(random, links, 2, least=1)}
        case "with_path_to" | "with_path_to_any" | "without_path_to":
            return {key: [a_path(random) for _ in range(random.randint(1, 2))]}
        case "not":
            chosen = some(random, sorted(SCALARS.get(type_, {})), 2, least=1)
            return {key: [{each: random.choice(SCALARS[type_][each])} for each in chosen]} if chosen else {}
        case "consent_codes":
            return {key: some(random, ["cc1", "cc2"], 2, least=1)} if type_ == "case" else {}
    return {key: some(random, [*SCALARS[type_][key], None], 2, least=1)}


def arguments(random: Random, dictionary: Dictionary, type_: str, listed: bool) -> dict[str, Any]:
    args: dict[str, Any] = {}
    for _ in range(random.choice([0, 0, 1, 1, 2])):
        args |= an_argument(random, dictionary, type_)
    if listed:
        args["first"] = random.choice([0, 0, 1, 2, 10])
        if random.random() < 0.3:
            args["offset"] = random.randint(0, 2)
        if type_ == "case" and random.random() < 0.4:
            args[random.choice(["order_by_asc", "order_by_desc"])] = "age"
    return args


def a_selection(random: Random, dictionary: Dictionary, type_: str, depth: int) -> tuple[Field, ...]:
    fields = [Field("id", {}), *(Field(name, {}) for name in SCALARS.get(type_, {}))]
    known = steps(dictionary, type_)
    for name in some(random, sorted(known), 2 if depth else 0):
        below = a_selection(random, dictionary, known[name], depth - 1)
        fields.append(Field(name, arguments(random, dictionary, known[name], listed=True), below))
        fields.append(Field(f"_{name}_count", arguments(random, dictionary, known[name], listed=False)))
    return tuple(fields)


KEY_AND_COUNT = (Field("key", {}), Field("count", {}))
STATS = Field("stats", {}, tuple(Field(each, {}) for each in ("min", "max", "count")))


def an_aggregate(random: Random, dictionary: Dictionary, type_: str) -> Field:
    below = [Field("_totalCount", {})]
    known = SCALARS.get(type_, {})
    for name in some(random, sorted(known), 2) + (["consent_codes"] if type_ == "case" else []):
        figures = [Field(each, {}) for each in ("_totalCount", "_missing", "_cardinalityCount")]
        if isinstance(known.get(name, [""])[0], int | float) and name != "alive":
            args = random.choice([{"width": 0.5}, {"width": 7}, {"buckets": 1}, {"buckets": 4}])
            figures += [STATS, Field("histogram", args, KEY_AND_COUNT), Field("asTextHistogram", {}, KEY_AND_COUNT)]
        else:
            figures.append(Field("histogram", {}, KEY_AND_COUNT))
        below.append(Field(name, {}, tuple(figures)))
    if known:
        below.append(Field("_groups", {"by": some(random, sorted(known), 2, least=1)}, KEY_AND_COUNT))
    return Field(f"_{type_}_aggregate", arguments(random, dictionary, type_, listed=False), tuple(below))


def a_query(random: Random, dictionary: Dictionary) -> Field:
    type_ = random.choice([*PARENTS, "project", "program"])
    if random.random() < 0.2:
        return an_aggregate(random, dictionary, type_)
    if random.random() < 0.25:
        return Field(f"_{type_}_count", arguments(random, dictionary, type_, listed=False))
    return Field(type_, arguments(random, dictionary, type_, listed=True), a_selection(random, dictionary, type_, 2))


_ARGUMENTS = (
    *("ids", "quick_search", "with_links", "with_links_any", "without_links", "not", "consent_codes"),
    *("filter", "filter", "filter"),
    *("with_path_to", "with_path_to", "with_path_to_any", "without_path_to"),
)
QUERIES = 20


class Graphs:
    """Stores a graph, and answers queries on it, or on a release that has all of it."""

    def __init__(self, engine: sa.Engine, dictionary: Dictionary) -> None:
        self.engine, self.dictionary = engine, dictionary
        self.graph, self.releases = Graph(dictionary, "graph"), Releases("release")
        self.answers = Answers(dictionary, GraphTables("graph", node_table, edge_table), Limits(), 1)
        self.empty = ";".join(f'delete from graph."{node_table(each)}"' for each in dictionary.nodes)
        with engine.begin() as connection:
            self.graph.create(connection)
            self.releases.create(connection)

    def ask(self, records: list[Record], queries: list[tuple[Field, Scope]], frozen: bool = False) -> list[Any]:
        tables = ReleaseTables("release", 1, link_key) if frozen else None
        with self.engine.begin() as connection:
            connection.exec_driver_sql(self.empty)
            insert(connection, self.graph, records)
            for key in (1, 2) if frozen else ():
                freeze(connection, self.graph, self.releases, key)
            found = [self._answer(connection, field, scope, tables) for field, scope in queries]
            connection.rollback()
        return found

    def _answer(self, connection: sa.Connection, field: Field, scope: Scope, tables: ReleaseTables | None) -> Any:
        asked = f"{{ {field.text()} }}", {}, None, scope, tables
        plan, rows = self.answers.plan(*asked), self.answers.plan(*asked, by_rows=True)
        assert plan.errors == ()
        (data,) = store.answers(connection, [plan])
        value = orjson.loads(data)[field.name]
        if rows.listed:
            by_rows = [orjson.loads(item) for _, item in store.items(connection, rows)]
            assert settled(by_rows, field) == settled(value, field)
        return value


@pytest.fixture(scope="module")
def graphs(database_url: str, dictionary: Dictionary) -> Iterator[Graphs]:
    engine = sa.create_engine(database_url)
    yield Graphs(engine, dictionary)
    engine.dispose()


def freeze(connection: sa.Connection, graph: Graph, releases: Releases, key: int) -> None:
    """Let a release have all of the graph."""
    for node in graph.dictionary.nodes.values():
        table = graph.node(node.id)
        rows = sa.select(sa.literal(key), sa.literal(node.id, sa.Text), table.c.node_id, table.c._props)
        connection.execute(sa.insert(releases.nodes).from_select(["release", "type", "node_id", "_props"], rows))
        for link in node.links:
            edge = graph.edge(link)
            rows = sa.select(sa.literal(key), sa.literal(link_key(link), sa.Text), edge.c.src_id, edge.c.dst_id)
            connection.execute(sa.insert(releases.edges).from_select(["release", "link", "src_id", "dst_id"], rows))


# Without shrinking: the failing query is told, and a smaller graph takes minutes to find.
random_graphs = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


# One number an example: so much is drawn from each that hypothesis would cut it off in the middle.
seeds = st.integers(0, 2**64 - 1)


@random_graphs
@given(seed=seeds)
def test_answers_equal_those_of_a_naive_evaluator(graphs: Graphs, seed: int) -> None:
    random, dictionary = Random(seed), graphs.dictionary
    records = a_graph(random)
    granted = frozenset(some(random, PROJECTS, 4, least=1))
    programs = frozenset(some(random, ["P", "A", "A-B"], 1)) if random.random() < 0.3 else frozenset()
    everything = random.random() < 0.15
    scope = Scope(everything, programs, granted)
    covered = {pair for pair in PROJECTS if everything or pair in granted or pair[0] in programs}
    fields = [a_query(random, dictionary) for _ in range(QUERIES)]
    world = World(dictionary, records, covered)
    found = graphs.ask(records, [(field, scope) for field in fields])
    for field, each in zip(fields, found, strict=True):
        assert settled(each, field) == settled(world.root(field), field), field.text()


@settings(random_graphs, max_examples=10)
@given(seed=seeds)
def test_a_release_answers_as_a_graph_that_has_nothing_else(graphs: Graphs, seed: int) -> None:
    random, dictionary = Random(seed), graphs.dictionary
    records = a_graph(random)
    fields = [a_query(random, dictionary) for _ in range(QUERIES)]
    world = World(dictionary, records, set(PROJECTS))
    found = graphs.ask(records, [(field, Scope(everything=True)) for field in fields], frozen=True)
    for field, each in zip(fields, found, strict=True):
        assert settled(each, field) == settled(world.root(field), field), field.text()


@settings(random_graphs, max_examples=15)
@given(seed=seeds)
def test_a_table_is_what_its_json_is_when_flattened(graphs: Graphs, seed: int) -> None:
    random, dictionary = Random(seed), graphs.dictionary
    fields = [a_query(random, dictionary) for _ in range(QUERIES)]
    found = graphs.ask(a_graph(random), [(field, Scope(everything=True)) for field in fields])
    for field, value in zip(fields, found, strict=True):
        asked = f"{{ {field.text()} }}", {}, None
        if lists(field) > 1:
            with pytest.raises(BadRequest, match="beside one another"):
                graphs.answers.table(*asked)
            continue
        table, rows = graphs.answers.table(*asked), flat(value, field)
        names = [column.name for column in table.columns]
        expected = [[row.get(name) for name in names] for row in rows]
        assert {name for row in rows for name in row} <= set(names)
        assert list(table.rows({field.name: value})) == expected, field.text()
        # Every value has the type that its column says.
        lines = [orjson.loads(line) for line in typed(table.columns, table.rows({field.name: value}))]
        assert [list(line.values()) for line in lines] == expected
