"""The shared table of records on a real PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.statements import noted

from commonshub.core import blobs, records
from commonshub.core.database import create_engine, migrate
from commonshub.core.errors import BadRequest, Conflict, NotFound
from commonshub.core.records import Draft
from commonshub.core.settings import DatabaseSettings
from commonshub.core.storage import Location
from commonshub.index import catalog, ledger
from commonshub.index.app import HEAD

SCHEMA = "index"
MD5 = "0cc175b9c0f1b6a831c399e269772661"


@pytest.fixture(scope="module")
def engine(empty_database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(DatabaseSettings(url=empty_database_url))
    migrate(engine, SCHEMA, Path(str(resources.files("commonshub.index"))) / "migrations", HEAD)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.begin() as connection:
        yield connection
        connection.rollback()


def create(connection: sa.Connection, **values: Any) -> records.Record:
    [made] = records.create(connection, SCHEMA, [Draft(**values)])
    found = records.get(connection, SCHEMA, made.did)
    assert found is not None
    assert found[:3] == made
    return found


def test_the_migration_makes_the_tables_that_the_code_describes(engine: sa.Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        options = {"include_schemas": True, "version_table_schema": SCHEMA, "compare_type": True}
        options["version_table"] = "alembic_version_index"
        context = MigrationContext.configure(connection, opts=options)
        described: Any = [records.tables(SCHEMA).record.metadata, catalog.tables(SCHEMA).bundle.metadata]
        found = compare_metadata(context, described)
    assert found == []


def test_an_existing_indexd_table_is_taken_over(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("create schema taken"))
        connection.execute(sa.text('create table taken.record (like "index".record)'))
        connection.execute(sa.text("alter table taken.record drop column document"))
        connection.execute(sa.text("alter table taken.record add primary key (guid)"))
        connection.execute(sa.text("insert into taken.record (guid, rev) values ('old', 'r1')"))
    migrate(engine, "taken", Path(str(resources.files("commonshub.index"))) / "migrations", HEAD)
    with engine.begin() as connection:
        old = records.get(connection, "taken", "old")
    assert old is not None
    assert (old.urls, old.hashes, old.created_date) == ([], {}, None)


def test_records_come_back_in_order_with_what_was_given(connection: sa.Connection) -> None:
    drafts = [
        Draft(did=f"dg.T/{n}", size=n, hashes={"md5": MD5}, urls=[f"s3://b/{n}"], metadata={"n": n}, aliases=["a b"])
        for n in (3, 1, 2)
    ]
    made = records.create(connection, SCHEMA, drafts)
    assert [record.did for record in made] == ["dg.T/3", "dg.T/1", "dg.T/2"]
    first = records.get(connection, SCHEMA, "dg.T/3")
    assert first is not None
    assert (first.baseid, first.rev) == made[0][1:]
    assert (first.size, first.urls, first.metadata, first.aliases) == (3, ["s3://b/3"], {"n": 3}, ["a b"])


def test_many_records_take_one_statement(engine: sa.Engine, connection: sa.Connection) -> None:
    with noted(engine) as statements:
        made = records.create(connection, SCHEMA, [Draft(size=n, hashes={"md5": MD5}) for n in range(2000)])
        got = records.get_many(connection, SCHEMA, [record.did for record in made])
        changed = records.assign(connection, SCHEMA, got, {"uploader": None, "authz": ["/programs/p"]})
        gone = records.delete_many(connection, SCHEMA, got)
    assert (len(statements), len(got), len(changed), len(gone)) == (4, 2000, 2000, 2000)
    assert len({record.rev for record in changed.values()}) > 1990


@pytest.mark.parametrize("dids", [["new", "taken"], ["twice", "twice"]])
def test_a_guid_that_is_taken_is_named(connection: sa.Connection, dids: list[str]) -> None:
    create(connection, did="taken")
    with pytest.raises(Conflict, match=dids[1]):
        records.create(connection, SCHEMA, [Draft(did=did) for did in dids])


def test_an_update_changes_the_revision(connection: sa.Connection) -> None:
    before = create(connection, file_name="a", urls=["s3://b/k"])
    after = records.update(connection, SCHEMA, before.did, before.rev, {"file_name": None, "metadata": {"k": "v"}})
    assert (after.file_name, after.metadata, after.urls) == (None, {"k": "v"}, ["s3://b/k"])
    assert after.rev != before.rev
    assert after.updated_date > before.updated_date  # type: ignore[operator]


@pytest.mark.parametrize("change", [records.delete, lambda *args: records.update(*args, {"version": "2"})])
def test_an_old_revision_changes_nothing(connection: sa.Connection, change: Callable[..., Any]) -> None:
    before = create(connection)
    with pytest.raises(Conflict, match="revision mismatch"):
        change(connection, SCHEMA, before.did, "0000")
    assert records.get(connection, SCHEMA, before.did) == before


def test_changing_what_does_not_exist_says_so(connection: sa.Connection) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        records.update(connection, SCHEMA, "nowhere", "r", {})


def test_of_concurrent_updates_with_one_revision_exactly_one_wins(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        before = create(connection)
    outcomes: list[bool] = []
    barrier = threading.Barrier(4)

    def change(number: int) -> None:
        barrier.wait(10)
        try:
            with engine.begin() as connection:
                records.update(connection, SCHEMA, before.did, before.rev, {"version": str(number)})
            outcomes.append(True)
        except Conflict:
            outcomes.append(False)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, False, True]


def test_a_blank_record_registers_its_blob(connection: sa.Connection) -> None:
    record = blobs.create_blank(
        connection, SCHEMA, uploader="alice", file_name="a/b.csv", authz=[], bucket="commons", prefix="dg.T/"
    )
    location = connection.execute(sa.select(records.tables(SCHEMA).blob.c.location)).scalar_one()
    stored = records.get(connection, SCHEMA, record.did)
    assert stored is not None
    assert stored.blank
    assert location == f"s3://commons/{record.did}/a/b.csv"
    assert ledger.progress(connection, SCHEMA, record.did) == ("registered", None, None, 0)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "a\0b", "a\nb", "é" * 451])
def test_a_file_name_that_no_key_can_hold_is_refused(connection: sa.Connection, name: str) -> None:
    with pytest.raises(BadRequest, match="file_name"):
        blobs.create_blank(connection, SCHEMA, uploader=None, file_name=name, authz=[], bucket="commons")


@pytest.mark.parametrize("name", ["a b?#%25.csv", "…", "a/b/c", "-", "x" * 900])
def test_any_other_file_name_is_kept_to_the_letter(name: str) -> None:
    assert Location.parse(str(blobs.location_of("b", "g", name))) == ("b", f"g/{name}")


def test_a_verified_blob_cannot_be_registered_again(connection: sa.Connection) -> None:
    record = blobs.create_blank(connection, SCHEMA, uploader="a", file_name="f", authz=[], bucket="b")
    blobs.register(connection, SCHEMA, record.did, Location("b", "k"))
    blob = records.tables(SCHEMA).blob
    connection.execute(sa.update(blob).where(blob.c.guid == record.did).values(state="verified"))
    with pytest.raises(Conflict, match="new version"):
        blobs.register(connection, SCHEMA, record.did, Location("b", "k"))
