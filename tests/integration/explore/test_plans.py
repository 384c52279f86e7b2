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
from commonshub.explore.compiler import compile_mapping
from commonshub.explore.duck.build import build
from commonshub.explore.extract import extract

from .evaluator import Document, Evaluator, Family, family
from .mappings import graphs, mappings

SCHEMA = "graph"


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

    def documents(self, mapping: Any) -> dict[str, list[Document]]:
        """The documents of a build, by their ids."""
        self.number += 1
        work = self.folder / str(self.number)
        work.mkdir()
        plan = compile_mapping(json.dumps(mapping), self.dictionary)
        extract(self.engine, SCHEMA, plan, work, lambda *_: None)
        target = work / "index.duckdb"
        build(plan, work, target, self.number, 2**28, 1, lambda *_: None)
        with duckdb.connect(str(target), read_only=True) as connection:
            return {each.name: _read(connection, each) for each in plan.doc_types}


def _read(connection: duckdb.DuckDBPyConnection, doc_type: DocType) -> list[Document]:
    cursor = connection.execute(f'from "{doc_type.name}" order by _rid')
    names = [column[0] for column in cursor.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for nest in doc_type.nests:
        listed = sum(len(document[nest.name]) for document in found)
        table = table_of(doc_type.name, (nest.name,))
        assert connection.execute(f'select count(*) from "{table}"').fetchone() == (listed,)
    return [{name: value for name, value in document.items() if name != "_rid"} for document in found]


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
