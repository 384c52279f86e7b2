"""Single records by what they are called."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from tests.statements import Statement, noted

from commonshub.core import records
from commonshub.core.database import Database
from commonshub.core.errors import NotFound
from commonshub.core.records import Draft
from commonshub.index import reads, store
from commonshub.index.reads import DOCUMENT, RECORD, Name, Reads
from commonshub.index.rooms import Room

PREFIX = "dg.T/"
ROOM = Room(2**20, "")
KEYS = [
    *("did", "baseid", "rev", "form", "size", "file_name", "version", "uploader", "urls", "urls_metadata", "acl"),
    *("authz", "hashes", "metadata", "created_date", "updated_date", "description", "content_created_date"),
    "content_updated_date",
]


@pytest.fixture(scope="module")
def database(running: Any) -> Database:
    """Records whose names overlap, and one as an old index may hold it."""
    drafts = [
        Draft(did="plain", baseid="base-1", size=1),
        Draft(did=PREFIX + "prefixed", baseid="base-2", aliases=["known as", "plain", "base-1"]),
        Draft(did=PREFIX + "both"),
        Draft(did="both"),
        Draft(did="base-2", baseid="base-3"),
        Draft(did="newer", baseid="base-1", version="2"),
    ]

    def fill(connection: sa.Connection) -> None:
        for draft in drafts:
            records.create(connection, "index", [draft])
        table = records.tables("index").record
        connection.execute(sa.insert(table).values(guid="old", created_date=datetime(2001, 2, 3, 4, 5, 6)))

    database: Database = running.app.database
    database.call(fill)
    return database


@pytest.fixture
def connection(database: Database) -> Iterator[sa.Connection]:
    with database.engine.connect() as connection:
        yield connection


@pytest.fixture
def statements(database: Database) -> Iterator[list[Statement]]:
    with noted(database.engine) as seen:
        yield seen


@pytest.mark.parametrize(
    ("name", "did"),
    [
        (Name("plain"), "plain"),
        (Name("plain", aliases=True), "plain"),
        (Name("prefixed"), PREFIX + "prefixed"),
        (Name(PREFIX + "plain"), "plain"),
        (Name("both"), "both"),
        (Name(PREFIX + "both"), PREFIX + "both"),
        (Name("base-1"), "newer"),
        (Name("base-1", aliases=True), "newer"),
        (Name("base-2"), "base-2"),
        (Name("known as"), None),
        (Name("known as", aliases=True), PREFIX + "prefixed"),
        (Name("nobody", aliases=True), None),
    ],
)
def test_a_name_is_a_guid_then_a_baseid_then_an_alias(connection: sa.Connection, name: Name, did: str | None) -> None:
    # In company, because those who read together must not see one another's answers.
    company = [name, Name("known as"), Name("known as", aliases=True), Name("plain")]
    found = reads.find(connection, "index", RECORD, company, prefix=PREFIX)
    assert [each and each.did for each in found] == [did, None, PREFIX + "prefixed", "plain"]
    documents = reads.find(connection, "index", DOCUMENT, company, prefix=PREFIX)
    assert [each and each.did for each in documents] == [each and each.did for each in found]


def test_reads_by_guid_that_arrive_together_take_one_statement(database: Database, statements: list[Statement]) -> None:
    async def together() -> list[Any]:
        single = Reads(database, "index", prefix="", most=64, at_once=2)
        names = ["plain", "newer", "both", "plain"] * 10
        return await asyncio.gather(*map(single.document, names), single.record("old"))

    found = asyncio.run(together())
    assert [each.did for each in found[:4]] == ["plain", "newer", "both", "plain"]
    assert found[-1].did == "old"
    # One for the documents and one for the record.
    assert len(statements) == 2


def test_who_asks_for_what_is_not_there_is_told_alone(database: Database) -> None:
    async def together() -> list[Any]:
        single = Reads(database, "index", prefix="", most=64, at_once=1)
        return await asyncio.gather(single.document("plain"), single.document("nobody"), return_exceptions=True)

    found = asyncio.run(together())
    assert found[0].did == "plain"
    assert isinstance(found[1], NotFound)


def test_a_document_has_every_key_and_nulls_count_as_empty(connection: sa.Connection) -> None:
    old, new = reads.find(connection, "index", DOCUMENT, [Name("old"), Name("plain")])
    assert old is not None
    assert new is not None
    document = orjson.loads(old.text)
    assert list(document) == KEYS
    empty = {"urls": [], "acl": [], "authz": [], "urls_metadata": {}, "hashes": {}, "metadata": {}}
    expected = dict.fromkeys(KEYS) | empty | {"did": "old", "created_date": "2001-02-03T04:05:06"}
    assert document == expected
    assert (old.pending, new.pending) == (True, False)
    record = records.get(connection, "index", "plain")
    assert record is not None
    assert record.created_date == datetime.fromisoformat(orjson.loads(new.text)["created_date"])


@pytest.mark.parametrize("name", ["plain", "base-1", PREFIX + "plain", "newer"])
def test_all_versions_of_an_object_take_one_statement(
    connection: sa.Connection, statements: list[Statement], name: str
) -> None:
    found = store.versions(connection, "index", RECORD, name, ROOM, prefix=PREFIX)
    newest = store.latest(connection, "index", name, prefix=PREFIX)
    assert ([each.did for each in found], newest.did, len(statements)) == (["plain", "newer"], "newer", 2)


def test_a_record_without_a_baseid_is_its_only_version(connection: sa.Connection) -> None:
    assert [each.did for each in store.versions(connection, "index", RECORD, "old", ROOM)] == ["old"]
    assert store.latest(connection, "index", "old").did == "old"
