"""Counts that PostgreSQL keeps: whoever writes, they are those of the rows."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from commonshub.core.dictionary import load
from commonshub.core.graph import Graph

DICTIONARY = Path(__file__).parents[2] / "data" / "dictionary"
INSERT = """insert into {schema}.node_case (node_id, _props)
            select made, jsonb_build_object('project_id', :project, 'submitter_id', made)
            from (select gen_random_uuid()::text as made from generate_series(1, :count)) t"""


class Counted:
    """A graph in a schema of its own."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url, pool_size=8)
        self.schema = f"counted_{uuid.uuid4().hex[:8]}"
        self.graph = Graph(load(str(DICTIONARY)), self.schema)
        with self.engine.begin() as connection:
            self.graph.create(connection)

    def run(self, statement: str, **parameters: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement.format(schema=self.schema)), parameters)

    def kept(self) -> dict[str | None, int]:
        return self._counts(
            f"select project_id, sum(records)::bigint as records from {self.schema}.node_counts where type = 'case'"
            " group by 1 having sum(records) <> 0"
        )

    def true(self) -> dict[str | None, int]:
        query = "select _props->>'project_id' as project_id, count(*) as records"
        return self._counts(f"{query} from {self.schema}.node_case group by 1")

    def changes(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(sa.text(f"select count(*) from {self.schema}.node_counts")).scalar_one())

    def _counts(self, query: str) -> dict[str | None, int]:
        with self.engine.connect() as connection:
            return {row.project_id: row.records for row in connection.execute(sa.text(query))}


@pytest.fixture(scope="module")
def counted(database_url: str) -> Iterator[Counted]:
    made = Counted(database_url)
    yield made
    with made.engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(made.schema, cascade=True))
    made.engine.dispose()


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        (INSERT.replace(":project", "'P-1'").replace(":count", "5"), {"P-1": 5}),
        (INSERT.replace(":project", "null::text").replace(":count", "2"), {None: 2}),
        (INSERT.replace(":project", "'P-1'").replace(":count", "0"), {}),
        ("delete from {schema}.node_case where _props->>'project_id' = 'A-1'", {"A-1": -3}),
        (
            'update {schema}.node_case set _props = _props || \'{{"project_id": "B-1"}}\''
            " where _props->>'project_id' = 'A-1'",
            {"A-1": -3, "B-1": 3},
        ),
        ('update {schema}.node_case set _props = _props || \'{{"state": "x"}}\'', {}),
        ("truncate {schema}.node_case cascade", {"A-1": -3}),
    ],
    ids=["added", "without a project", "nothing added", "deleted", "moved", "changed", "emptied"],
)
def test_a_change_by_whomever_is_counted(counted: Counted, statement: str, difference: dict[str | None, int]) -> None:
    counted.run("truncate {schema}.node_case cascade")
    counted.run(INSERT, project="A-1", count=3)
    before = counted.kept()
    assert before == {"A-1": 3}
    counted.run(statement)
    expected = {key: before.get(key, 0) + difference.get(key, 0) for key in before.keys() | difference.keys()}
    assert counted.kept() == counted.true() == {key: value for key, value in expected.items() if value}


def test_what_is_taken_back_is_not_counted(counted: Counted) -> None:
    before = counted.kept()
    with counted.engine.connect() as connection:
        connection.execute(sa.text(INSERT.format(schema=counted.schema)), {"project": "A-1", "count": 3})
        connection.rollback()
    assert counted.kept() == before


def test_changes_are_put_together_while_many_write(counted: Counted) -> None:
    def write(number: int) -> None:
        for _ in range(150):
            counted.run(INSERT, project=f"C-{number % 3}", count=1)
            if number % 2:
                counted.run(
                    "delete from {schema}.node_case where node_id = (select node_id from {schema}.node_case"
                    " where _props->>'project_id' = :project order by node_id limit 1 for update skip locked)",
                    project=f"C-{number % 3}",
                )

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(write, range(6)))
    assert counted.kept() == counted.true()
    assert counted.changes() < 900


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_writers_of_every_isolation_level_are_counted(counted: Counted, level: str) -> None:
    for _ in range(120):
        with counted.engine.connect().execution_options(isolation_level=level) as connection, connection.begin():
            connection.execute(sa.text(INSERT.format(schema=counted.schema)), {"project": "D-1", "count": 1})
    assert counted.kept() == counted.true()


def test_what_was_there_before_is_counted(counted: Counted) -> None:
    counted.run(INSERT, project="E-1", count=7)
    counted.run("drop trigger counted_insert on {schema}.node_case")
    for name in ("delete", "update", "truncate"):
        counted.run(f"drop trigger counted_{name} on {{schema}}.node_case")
    counted.run(INSERT, project="E-1", count=2)
    assert counted.kept() != counted.true()
    with counted.engine.begin() as connection:
        counted.graph.create(connection)
    assert counted.kept() == counted.true()
