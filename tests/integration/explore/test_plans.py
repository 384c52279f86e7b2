"""For random graphs and mappings, a build makes the documents that a plain reading of the mapping makes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings

from commonshub.core.dictionary import Dictionary, load
from commonshub.core.graph import Graph
from commonshub.explore.catalog import DocType, table_of
from commonshub.explore.catalog import load as load_catalog
from commonshub.explore.compiler import compile_mapping
from commonshub.explore.duck.index import marks_of
from commonshub.explore.etl import builder
from commonshub.explore.extract import picture
from commonshub.explore.inputs import job
from commonshub.explore.settings import ExploreSettings

from .evaluator import Document, Evaluator, Family, family
from .mappings import Change, changes, graphs, mappings

SCHEMA = "graph"
BY_DUCKDB = ExploreSettings(build_memory_bytes=2**28, build_threads=1)
_TWO_TYPES = {
    "mappings": [
        {"name": "s", "doc_type": "samples", "type": "aggregator", "root": "sample", "props": [{"name": "name"}],
         "joining_props": [{"index": "visits", "join_on": "project_id",
                            "props": [{"name": "joined", "src": "name", "fn": "set"}]}]},
        {"name": "v", "doc_type": "visits", "type": "aggregator", "root": "visit", "props": [{"name": "name"}]},
    ]
}  # fmt: skip


class Bench:
    """The tables of the family, to be filled and built again and again."""

    def __init__(self, url: str, dictionary: Dictionary, folder: Path) -> None:
        self.engine = sa.create_engine(url)
        self.dictionary = dictionary
        self.graph = Graph(dictionary, SCHEMA)
        self.folder = folder
        self.number = 0
        with self.engine.begin() as connection:
            self.graph.create(connection)

    def fill(self, family: Family) -> None:
        with self.engine.begin() as connection:
            nodes = ", ".join(f"{SCHEMA}.{self.graph.node(node).name}" for node in family.records)
            connection.execute(sa.text(f"truncate {nodes} cascade"))
            for node, records in family.records.items():
                rows = [{"node_id": id, "_props": {"type": node, **props}} for id, props in records.items()]
                if rows:
                    connection.execute(sa.insert(self.graph.node(node)), rows)
            for (child, name), edges in family.edges.items():
                table = self.graph.edge(self.dictionary.nodes[child].links_by_name[name])
                rows = [{"src_id": source, "dst_id": target} for source, target in edges]
                if rows:
                    connection.execute(sa.insert(table), rows)

    def change(self, change: Change) -> None:
        node = self.graph.node(change.node)
        first = sa.select(sa.func.min(node.c.node_id)).scalar_subquery()
        row = sa.update(node).where(node.c.node_id == first)
        statement: sa.Executable = row.values(_sysan={"to_delete": True})
        if change.link:
            statement = sa.delete(self.graph.edge(self.dictionary.nodes[change.node].links_by_name[change.link]))
        elif change.new:
            statement = sa.insert(node).values(node_id=f"new {self.number}", _props=change.record)
        elif change.record is not None:
            statement = row.values(_props=change.record)
        with self.engine.begin() as connection:
            connection.execute(statement)

    def index(self, mapping: Any, earlier: Path | None = None, by: ExploreSettings = BY_DUCKDB) -> Path:
        """The index of a build, which takes over what it can of an earlier one."""
        self.number += 1
        work = self.folder / str(self.number)
        work.mkdir()
        plan = compile_mapping(json.dumps(mapping), self.dictionary)
        with picture(self.engine, SCHEMA) as seen:
            todo = job(plan, seen.marks(plan), earlier, marks_of(earlier) if earlier else None)
            seen.copy(todo.made, work, lambda *_: None)
        target = work / "index.duckdb"
        builder(by)(todo, work, target, self.number, by, lambda *_: None)
        return target

    def documents(self, mapping: Any, by: ExploreSettings = BY_DUCKDB) -> dict[str, list[Document]]:
        """The documents of a build, by their ids."""
        with duckdb.connect(str(self.index(mapping, by=by)), read_only=True) as connection:
            (catalog,) = connection.execute("select catalog from _run").fetchone() or ("",)
            return {each.name: _read(connection, each) for each in load_catalog(json.loads(catalog)).values()}


def content(index: Path) -> dict[str, list[Any]]:
    """Everything in an index, but for which run made it, and when."""
    with duckdb.connect(str(index), read_only=True) as connection:
        found = {}
        for (name,) in connection.execute("select table_name from duckdb_tables() order by 1").fetchall():
            columns = "* exclude (run, built)" if name == "_run" else "*"
            cursor = connection.execute(f'select {columns} from "{name}"')
            found[name] = [[column[:2] for column in cursor.description or ()], *cursor.fetchall()]
        return found


def _read(connection: duckdb.DuckDBPyConnection, doc_type: DocType) -> list[Document]:
    cursor = connection.execute(f'from "{doc_type.name}" order by _rid')
    names = [column[0] for column in cursor.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for nest in doc_type.nests:
        listed = sum(len(document[nest.name]) for document in found)
        table = table_of(doc_type.name, (nest.name,))
        assert connection.execute(f'select count(*) from "{table}"').fetchone() == (listed,)
    return [{name: value for name, value in document.items() if name != "_rid"} for document in found]


_ONE_EACH = Family()
_ONE_EACH.records["program"]["P"] = {"name": "P"}
_ONE_EACH.records["project"]["one"] = {"code": "one", "name": "One"}
_ONE_EACH.edges["project", "programs"] = {("one", "P")}
_ONE_EACH.records |= {node: {node: {"project_id": "P-one", "name": "a"}} for node in ("sample", "visit")}


@pytest.fixture(scope="module")
def bench(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("plans")
    (folder / "family.json").write_text(json.dumps(family()))
    found = Bench(database_url, load(str(folder / "family.json")), folder)
    yield found
    found.engine.dispose()


# A small example takes minutes to be found here, and says little more than a large one.
@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck], phases=[Phase.explicit, Phase.generate])
@given(graph=graphs(), mapping=mappings())
def test_documents_are_those_of_a_plain_reading(bench: Bench, graph: Family, mapping: Any) -> None:
    bench.fill(graph)
    assert bench.documents(mapping) == Evaluator(mapping, graph).documents()


# Spark thinks for seconds about a document type, and longer where others have the processors.
@pytest.mark.timeout(900)
@settings(max_examples=4, deadline=None, suppress_health_check=[*HealthCheck], phases=[Phase.explicit, Phase.generate])
@given(graph=graphs(), mapping=mappings(most=2))
def test_documents_by_spark_are_those_of_a_plain_reading(
    bench: Bench, spark: ExploreSettings, graph: Family, mapping: Any
) -> None:
    bench.fill(graph)
    assert bench.documents(mapping, spark) == Evaluator(mapping, graph).documents()


@settings(max_examples=20, deadline=None, suppress_health_check=[*HealthCheck], phases=[Phase.explicit, Phase.generate])
@given(graph=graphs(), mapping=mappings(), happened=changes())
def test_an_index_that_takes_over_documents_is_that_of_a_whole_build(
    bench: Bench, graph: Family, mapping: Any, happened: list[Change]
) -> None:
    bench.fill(graph)
    first = bench.index(mapping)
    for change in happened:
        bench.change(change)
    assert content(bench.index(mapping, earlier=first)) == content(bench.index(mapping))


@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_documents_that_nothing_happened_to_are_taken_over_as_they_are(
    bench: Bench, engine: str, request: pytest.FixtureRequest
) -> None:
    """Told by one that only the earlier index has."""
    by = request.getfixturevalue("spark") if engine == "spark" else BY_DUCKDB
    bench.fill(_ONE_EACH)
    first = bench.index(_TWO_TYPES)
    with duckdb.connect(str(first)) as connection:
        connection.execute("update visits set name = 'earlier'")
    bench.change(Change("sample", {"project_id": "P-one", "name": "b"}))
    with duckdb.connect(str(bench.index(_TWO_TYPES, first, by)), read_only=True) as connection:
        assert connection.execute("select name, joined from samples").fetchall() == [("b", ["earlier"])]
        assert connection.execute("select name from visits").fetchall() == [("earlier",)]


def test_an_index_that_cannot_be_read_gives_nothing_to_take_over(tmp_path: Path) -> None:
    (tmp_path / "1.duckdb").write_bytes(b"no index")
    duckdb.connect(str(tmp_path / "2.duckdb")).close()
    assert [marks_of(tmp_path / f"{number}.duckdb") for number in (1, 2, 3)] == [{}, {}, {}]
