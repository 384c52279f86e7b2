"""Tables that a commons makes are laid out as psqlgraph's."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests import psqlgraph

from commonshub.core.dictionary import Dictionary, load
from commonshub.core.graph import Graph

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "migrate.md"


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Dictionary:
    return load(str(psqlgraph.dictionary(tmp_path_factory.mktemp("graph") / "dictionary")))


@pytest.fixture(scope="module")
def engine(empty_database_url: str) -> Iterator[sa.Engine]:
    """A database of psqlgraph's in ``public``."""
    made = sa.create_engine(empty_database_url)
    with made.begin() as connection:
        psqlgraph.create(connection)
    yield made
    made.dispose()


def test_tables_have_the_columns_keys_and_some_of_the_indexes_of_psqlgraph(
    engine: sa.Engine, dictionary: Dictionary
) -> None:
    with engine.connect() as connection:
        Graph(dictionary, "made").create(connection)
        theirs, ours = psqlgraph.catalogue(connection), psqlgraph.catalogue(connection, "made")
    both = theirs.keys() & ours.keys()
    assert theirs.keys() - both == {
        "edge_datareleasedescribesroot", "edge_edge", "node_datarelease", "node_node", "node_root", "versioned_nodes",
    }  # fmt: skip
    assert {name: ours[name].columns for name in both} == {name: theirs[name].columns for name in both}
    assert {name: ours[name].constraints for name in both} == {name: theirs[name].constraints for name in both}
    for name in both:
        assert named(ours[name].indexes) <= named(theirs[name].indexes)
    leaner = {text for name in both for text in ours[name].indexes if "(_props jsonb_path_ops)" in text}
    assert len(leaner) == sum("gin (_props)" in text for name in both for text in theirs[name].indexes)


def named(indexes: frozenset[str]) -> set[str]:
    """Definitions of indexes; those of primary keys have other names here, those of all properties fewer entries."""
    found = {re.sub(r"(_pkey|_id_uc) ON ", " ON ", text).replace("INDEX _", "INDEX node_") for text in indexes}
    return {
        re.sub(r"__props_idx ON (\w+) USING gin \(_props( jsonb_path_ops)?\)", r"__props_idx ON \1", text)
        for text in found
    }


def test_indexes_that_the_guide_lets_drop_are_not_missed(engine: sa.Engine, dictionary: Dictionary) -> None:
    [query] = re.findall(r"```sql\n(select format\('drop index.*?)\\gexec\n```", GUIDE.read_text(), re.DOTALL)
    with engine.connect() as connection:
        statements = list(connection.execute(sa.text(query)).scalars())
        for statement in statements:
            connection.exec_driver_sql(statement)
        left = psqlgraph.catalogue(connection)
        Graph(dictionary, "public").create(connection)
        then = psqlgraph.catalogue(connection)
    nodes, edges = 12, 11
    assert len(statements) == 3 * nodes + 2 * edges
    assert {name: then[name] for name in left} == left
