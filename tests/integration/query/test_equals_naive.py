"""The answers of the planner's statements are those of a naive evaluator, over random graphs, queries and callers."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.query.model import Record, insert, program, project, record
from tests.integration.query.naive import Field, World, settled

from commonshub.core.dictionary import Dictionary
from commonshub.core.graph import Graph, edge_table, node_table
from commonshub.query.answers import Answers
from commonshub.query.document import Limits
from commonshub.query.scope import Scope
from commonshub.query.sql import Tables
from commonshub.query.store import answer

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


@st.composite
def graphs(draw: st.DrawFn) -> list[Record]:
    """A few records of each type, linked at random, also across projects."""
    records = [program(name) for name in ("P", "A", "A-B")] + [project(*pair) for pair in PROJECTS]
    known: dict[str, list[str]] = {"projects": [f"project-{code}" for _, code in PROJECTS]}
    for type_, links in PARENTS.items():
        ids = []
        for number in range(draw(st.integers(0, 3))):
            parents = [
                (link, parent)
                for link in links
                if known[link]
                for parent in draw(st.sets(st.sampled_from(known[link])))
            ]
            props: dict[str, Any] = {
                key: draw(st.sampled_from(values)) for key, values in SCALARS[type_].items() if draw(st.booleans())
            }
            if type_ == "case":
                props["consent_codes"] = draw(st.lists(st.sampled_from(["cc1", "xcc1", "cc2"]), unique=True))
            project_id = "-".join(draw(st.sampled_from(PROJECTS)))
            records.append(record(type_, f"{type_}{number}", project_id, *sorted(parents), **props))
            ids.append(f"{type_}{number}")
        plural = {"study": "studies"}.get(type_, f"{type_}s")
        known[plural] = ids
    return records


def steps(dictionary: Dictionary, type_: str) -> dict[str, str]:
    up = {link.name: link.target for link in dictionary.nodes[type_].links}
    return {**{link.backref: link.source for link in dictionary.backlinks(type_)}, **up}


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """A path filter."""
    type_ = draw(st.sampled_from([*PARENTS, "project", "program"]))
    entry: dict[str, Any] = {"type": type_}
    for key, values in SCALARS.get(type_, {}).items():
        if draw(st.integers(0, 2)) == 0:
            entry[key] = draw(st.sampled_from(values))
    return entry


@st.composite
def arguments(draw: st.DrawFn, dictionary: Dictionary, type_: str, listed: bool) -> dict[str, Any]:
    args: dict[str, Any] = {}
    for key, values in SCALARS.get(type_, {}).items():
        if draw(st.integers(0, 3)) == 0:
            args[key] = draw(st.lists(st.sampled_from([*values, None]), min_size=1, max_size=2))
    links = st.lists(st.sampled_from(sorted(steps(dictionary, type_))), min_size=1, max_size=2, unique=True)
    choices: dict[str, st.SearchStrategy[Any]] = {
        "ids": st.lists(st.sampled_from([f"{type_}{number}" for number in range(3)]), max_size=3),
        "quick_search": st.sampled_from(["1", "SE", "_", ""]),
        "with_links": links,
        "with_links_any": links,
        "without_links": links,
        "with_path_to": st.lists(entries(), max_size=2),
        "with_path_to_any": st.lists(entries(), max_size=2),
        "without_path_to": st.lists(entries(), max_size=1),
    }
    if type_ == "case":
        choices["consent_codes"] = st.lists(st.sampled_from(["cc1", "cc2"]), min_size=1, max_size=2, unique=True)
        choices["not"] = st.just([{"primary_site": "Lung"}, {"age": 30}])
    for key in draw(st.sets(st.sampled_from(sorted(choices)), max_size=2)):
        args[key] = draw(choices[key])
    if listed:
        args["first"] = draw(st.integers(0, 3))
        if draw(st.booleans()):
            args["offset"] = draw(st.integers(0, 2))
        if type_ == "case" and draw(st.booleans()):
            # Null sorts last, and first when descending, in the database as in the evaluator.
            args[draw(st.sampled_from(["order_by_asc", "order_by_desc"]))] = "age"
    return args


@st.composite
def selections(draw: st.DrawFn, dictionary: Dictionary, type_: str, depth: int) -> tuple[Field, ...]:
    fields = [Field("id", {})]
    scalars = sorted(SCALARS.get(type_, {}))
    if scalars:
        fields += [Field(name, {}) for name in sorted(draw(st.sets(st.sampled_from(scalars))))]
    if depth == 0:
        return tuple(fields)
    known = steps(dictionary, type_)
    for name in sorted(draw(st.sets(st.sampled_from(sorted(known)), max_size=2))):
        far = known[name]
        below = draw(selections(dictionary, far, depth - 1))
        fields.append(Field(name, draw(arguments(dictionary, far, listed=True)), below))
        if draw(st.booleans()):
            fields.append(Field(f"_{name}_count", draw(arguments(dictionary, far, listed=False))))
    return tuple(fields)


@st.composite
def roots(draw: st.DrawFn, dictionary: Dictionary) -> Field:
    type_ = draw(st.sampled_from([*PARENTS, "project", "program"]))
    if draw(st.integers(0, 3)) == 0:
        return Field(f"_{type_}_count", draw(arguments(dictionary, type_, listed=False)))
    args = draw(arguments(dictionary, type_, listed=True))
    return Field(type_, args, draw(selections(dictionary, type_, 3)))


@pytest.fixture(scope="module")
def ask(
    database_url: str, dictionary: Dictionary
) -> Iterator[Callable[[list[Record], list[tuple[Field, Scope]]], list[Any]]]:
    """Store a graph, and answer queries on it."""
    engine = sa.create_engine(database_url)
    graph = Graph(dictionary, "graph")
    with engine.begin() as connection:
        graph.create(connection)
    answers = Answers(dictionary, Tables("graph", node_table, edge_table), Limits(), 1)
    empty = ";".join(f'delete from graph."{node_table(each)}"' for each in dictionary.nodes)

    def run(records: list[Record], queries: list[tuple[Field, Scope]]) -> list[Any]:
        found = []
        with engine.begin() as connection:
            connection.exec_driver_sql(empty)
            insert(connection, graph, records)
            for field, scope in queries:
                plan = answers.plan(f"{{ {field.text()} }}", {}, None, scope)
                assert plan.errors == ()
                found.append(orjson.loads(answer(connection, plan))[field.name])
            connection.rollback()
        return found

    yield run
    engine.dispose()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_answers_equal_those_of_a_naive_evaluator(
    ask: Callable[[list[Record], list[tuple[Field, Scope]]], list[Any]], dictionary: Dictionary, data: st.DataObject
) -> None:
    records = data.draw(graphs())
    granted = data.draw(st.sets(st.sampled_from(PROJECTS)))
    programs = data.draw(st.sets(st.sampled_from(["P", "A", "A-B"]), max_size=1))
    everything = data.draw(st.integers(0, 3)) == 0
    scope = Scope(everything, frozenset(programs), frozenset(granted))
    covered = {pair for pair in PROJECTS if everything or pair in granted or pair[0] in programs}
    fields = data.draw(st.lists(roots(dictionary), min_size=1, max_size=6))
    world = World(dictionary, records, covered)
    found = ask(records, [(field, scope) for field in fields])
    for field, each in zip(fields, found, strict=True):
        assert settled(each, field) == settled(world.root(field), field), field.text()
