"""The tables of the graph in a real database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from commonshub.core.dictionary import load
from commonshub.core.graph import Graph

SMALL = Path(__file__).parents[2] / "data" / "dictionary"


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


def test_what_is_missing_is_made_once(engine: sa.Engine) -> None:
    graph = Graph(load(str(SMALL)), "graph")
    with engine.begin() as connection:
        assert "node_case" in graph.create(connection)
    with engine.begin() as connection:
        assert graph.create(connection) == []


def test_a_table_that_went_missing_comes_back(engine: sa.Engine) -> None:
    graph = Graph(load(str(SMALL)), "other")
    with engine.begin() as connection:
        graph.create(connection)
        connection.execute(sa.text("drop table other.edge_samplederivedfromcase"))
        connection.execute(sa.text("drop index other.index_node_case_submitter_id"))
    with engine.begin() as connection:
        assert set(graph.create(connection)) >= {"edge_samplederivedfromcase", "index_node_case_submitter_id"}
