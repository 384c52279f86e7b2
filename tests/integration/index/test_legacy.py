"""Records of an indexd with a table for each list become records of the index, and its tables stay as they were."""

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests import indexd

from commonshub.core import records
from commonshub.core.database import Database, migrate
from commonshub.core.errors import NotFound
from commonshub.core.migration import upgrade
from commonshub.core.records import Draft
from commonshub.core.settings import DatabaseSettings
from commonshub.index import commands, legacy
from commonshub.index.app import HEAD

SCRIPTS = Path(str(resources.files("commonshub.index"))) / "migrations"
OLD = [
    *("index_record", "index_record_url", "index_record_url_metadata", "index_record_hash", "index_record_ace"),
    *(
        "index_record_authz",
        "index_record_metadata",
        "index_record_alias",
        "drs_bundle_record",
        "base_version",
        "stats",
    ),
]
NOTHING_LEFT = legacy.Check(old=5, missing=0, changed=0, differing={})


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    made = Database(DatabaseSettings(url=database_url))
    with made.engine.begin() as connection:
        indexd.normalized(connection)
    yield made
    made.close()


@pytest.fixture
def schema(database: Database, request: pytest.FixtureRequest) -> str:
    """A migrated schema of its own; where a test asks for it, that of the old tables."""
    name = getattr(request, "param", None) or f"index_{abs(hash(request.node.name))}"
    # In this process: there are many such schemas, and migrating is tested elsewhere.
    database.call(upgrade, name, SCRIPTS, HEAD, "alembic_version_index")
    return str(name)


@pytest.fixture
def source(database: Database) -> legacy.Source:
    return database.call(legacy.Source, "public")


def contents(connection: sa.Connection) -> dict[str, list[Any]]:
    return {
        name: [tuple(row) for row in connection.execute(sa.select(sa.table(name, sa.column("*", is_literal=True))))]
        for name in OLD
    }


def expected(document: dict[str, Any]) -> dict[str, Any]:
    return {**indexd.EMPTY, **document}


def stored(connection: sa.Connection, schema: str, did: str) -> dict[str, Any]:
    record = records.get(connection, schema, did)
    assert record is not None
    dates = [name for name in indexd.EMPTY if name.endswith("_date")]
    values = {name: getattr(record, name) for name in records.Record._fields}
    return values | {name: values[name].isoformat() if values[name] else None for name in dates}


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
@pytest.mark.parametrize("schema", [None, "public"], indirect=True)
def test_every_record_is_converted_whole(database: Database, source: legacy.Source, schema: str, batch: int) -> None:
    before = database.call(contents)
    assert sum(legacy.convert(database, source, schema, batch)) == 5
    for document in indexd.DOCUMENTS:
        assert database.call(stored, schema, document["did"]) == expected(document)
    assert database.call(legacy.check, source, schema) == NOTHING_LEFT
    assert database.call(contents) == before


def test_bundles_come_along(database: Database, source: legacy.Source, schema: str) -> None:
    for _ in range(2):
        list(legacy.convert(database, source, schema))
    table = sa.table("drs_bundle_record", sa.column("bundle_id"), schema=schema)
    assert database.call(lambda connection: connection.execute(sa.select(table)).scalars().all()) == ["dg.T/bundle"]


def test_a_broken_off_conversion_is_completed_by_another(
    database: Database, source: legacy.Source, schema: str
) -> None:
    first = legacy.convert(database, source, schema, 2)
    assert next(first) == 2
    first.close()
    assert database.call(legacy.check, source, schema).missing == 3
    assert list(legacy.convert(database, source, schema, 2)) == [2, 2, 1]
    assert database.call(legacy.check, source, schema) == NOTHING_LEFT


def test_what_has_changed_since_is_kept_and_told_of(database: Database, source: legacy.Source, schema: str) -> None:
    list(legacy.convert(database, source, schema))
    changed = database.call(records.update, schema, indexd.A, None, {"urls": [], "file_name": "new"})
    database.call(records.create, schema, [Draft(did="new", size=1)])
    list(legacy.convert(database, source, schema))
    assert database.call(records.get, schema, indexd.A) == changed
    assert database.call(legacy.check, source, schema) == legacy.Check(old=5, missing=0, changed=1, differing={})


@pytest.mark.parametrize(
    ("column", "value", "counts"),
    [
        ("urls", [], (4, 2)),
        ("hashes", {}, (6, 4)),
        ("url_metadata", {}, (1, 0)),
        ("alias", None, (2, 0)),
        ("record_metadata", {"k": "v"}, (3, 2)),
    ],
)
def test_an_entry_that_is_not_there_is_noticed(
    database: Database, source: legacy.Source, schema: str, column: str, value: Any, counts: tuple[int, int]
) -> None:
    list(legacy.convert(database, source, schema))
    table = records.tables(schema).record
    lose = sa.update(table).where(table.c.guid == indexd.A).values({column: value})
    database.call(lambda connection: connection.execute(lose))
    assert database.call(legacy.check, source, schema).differing == {column: counts}


def test_an_early_indexd_has_fewer_columns_and_tables(database: Database, schema: str) -> None:
    def early(connection: sa.Connection) -> None:
        connection.exec_driver_sql("create schema early; set local search_path to early;" + indexd.EARLY)
        connection.exec_driver_sql("insert into index_record (did, rev, size) values ('old', 'r', 7), ('bare', 's', 0)")
        connection.exec_driver_sql("insert into index_record_url values ('old', 's3://b/k')")
        connection.exec_driver_sql(f"insert into index_record_hash values ('old', 'md5', '{indexd.MD5}')")

    database.call(early)
    source = database.call(legacy.Source, "early")
    assert sum(legacy.convert(database, source, schema)) == 2
    old = database.call(records.get, schema, "old")
    assert old is not None
    assert (old.size, old.urls, old.hashes, old.authz) == (7, ["s3://b/k"], {"md5": indexd.MD5}, [])
    assert database.call(legacy.check, source, schema) == legacy.Check(old=2, missing=0, changed=0, differing={})


def test_a_record_without_a_revision_gets_one(database: Database, schema: str) -> None:
    """Who changes or deletes a record must name its revision."""

    def bare(connection: sa.Connection) -> None:
        connection.exec_driver_sql("create schema bare; set local search_path to bare;" + indexd.EARLY)
        connection.exec_driver_sql("insert into index_record (did, size) values ('one', 7), ('two', 0)")

    database.call(bare)
    source = database.call(legacy.Source, "bare")
    list(legacy.convert(database, source, schema))
    one, two = (database.call(records.get, schema, did) for did in ("one", "two"))
    revisions = {record.rev for record in (one, two) if record}
    assert len(revisions) == 2
    assert None not in revisions
    assert database.call(legacy.check, source, schema) == legacy.Check(old=2, missing=0, changed=0, differing={})


def test_where_nothing_old_is_it_says_so(database: Database) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        database.call(legacy.Source, "nowhere")


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Callable[..., int]:
    """Run ``commonshub index convert`` with these words; its exit status."""
    url = database.engine.url.render_as_string(hide_password=False)

    def start(*words: str) -> int:
        return commands.main(["convert", *words, f"--data-dir={tmp_path}", f"--DatabaseSettings.url={url}"])

    return start


def test_the_command_converts_compares_and_can_be_repeated(
    database: Database, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for words, status in [(["--check"], 1), ([], 0), ([], 0), (["--check"], 0)]:
        assert run(*words) == status
        said.append(capsys.readouterr().out)
    assert said[0] == "5 old records, 5 of them missing here, 0 changed since.\n"
    assert set(said[1:]) == {"5 old records, 0 of them missing here, 0 changed since.\n"}
    table = records.tables("index").record
    lose = sa.update(table).where(table.c.guid == indexd.A).values(urls=[])
    database.call(lambda connection: connection.execute(lose))
    assert run() == 1
    assert capsys.readouterr().err.endswith("urls: 4 entries in the old tables, 2 here.\n")


def test_a_source_without_old_tables_is_told_of(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--from", "nowhere") == 1
    assert "nowhere" in capsys.readouterr().err


def test_the_service_tells_of_records_that_wait_for_their_conversion(database: Database, source: legacy.Source) -> None:
    def aside(connection: sa.Connection) -> None:
        connection.exec_driver_sql("create schema waits; set local search_path to waits;" + indexd.EARLY)

    database.call(aside)
    migrate(database.engine, "waits", SCRIPTS, HEAD)
    assert not database.call(legacy.waiting, "waits")
    database.call(lambda connection: connection.exec_driver_sql("insert into waits.index_record (did) values ('x')"))
    assert database.call(legacy.waiting, "waits")
    list(legacy.convert(database, database.call(legacy.Source, "waits"), "waits"))
    assert not database.call(legacy.waiting, "waits")
