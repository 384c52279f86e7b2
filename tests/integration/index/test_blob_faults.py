"""Kill -9 of the index and a stopped store, while uploads are verified and data are deleted."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.processes import IndexProcess
from tests.stored import put_blank, put_records
from tests.stores import StoppableStore
from tests.waiting import eventually

from commonshub.core import deletions, records
from commonshub.core.database import Database
from commonshub.core.records import Draft, Record
from commonshub.core.settings import DatabaseSettings, StorageSettings
from commonshub.core.storage import Location
from commonshub.index import ledger

SCHEMA = "index"
LARGE_BYTES = 256 * 2**20
QUICK = {"lease_s": 1, "retry_s": 0.2, "idle_s": 0.5, "longest_wait_s": 0.5, "progress_s": 0.02, "most_attempts": 2}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoppableStore]:
    """A store with the upload bucket, not yet running."""
    made = StoppableStore(tmp_path, "commons")
    yield made
    made.stop()


@pytest.fixture
def index(tmp_path: Path, store: StoppableStore, database_url: str) -> Iterator[IndexProcess]:
    traits = {"DatabaseSettings.url": database_url}
    traits |= {f"StorageSettings.{name}": value for name, value in store.settings.items()}
    traits |= {f"BlobSettings.{name}": value for name, value in QUICK.items()}
    process = IndexProcess(tmp_path, traits)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def call(index: IndexProcess, database_url: str) -> Iterator[Callable[..., Any]]:
    """Run a function on the tables of the index in a transaction of its own."""
    database = Database(DatabaseSettings(url=database_url))
    yield lambda function, *arguments, **options: database.call(function, SCHEMA, *arguments, **options)
    database.close()


@pytest.fixture
def large(store: StoppableStore, call: Callable[..., Any]) -> Record:
    """A record whose upload has ended; the store is running."""
    record: Record = call(put_blank, uploader="alice", file_name="large", authz=[], bucket="commons")
    file = store.server.folder / "commons" / record.did / "large"
    file.parent.mkdir()
    with file.open("wb") as sparse:
        sparse.truncate(LARGE_BYTES)
    store.start()
    return record


def progress(call: Callable[..., Any], record: Record) -> ledger.Progress:
    found: ledger.Progress = call(ledger.progress, record.did)
    return found


def half_read(call: Callable[..., Any], record: Record) -> bool:
    return 0 < progress(call, record).done < LARGE_BYTES


def verified(call: Callable[..., Any], record: Record) -> bool:
    return progress(call, record).state == "verified"


def zeros_md5() -> str:
    md5 = hashlib.md5()
    for _ in range(LARGE_BYTES // 2**20):
        md5.update(bytes(2**20))
    return md5.hexdigest()


def test_an_upload_whose_verifier_was_killed_is_verified_by_the_next(
    index: IndexProcess, large: Record, call: Callable[..., Any]
) -> None:
    assert eventually(lambda: half_read(call, large))
    index.kill()
    assert progress(call, large).state == "uploaded"
    assert call(records.get, large.did) == large
    index.start()
    assert eventually(lambda: verified(call, large))
    whole = call(records.get, large.did)
    assert (whole.size, whole.hashes["md5"]) == (LARGE_BYTES, zeros_md5())


def test_a_store_that_stops_while_an_upload_is_read_fails_no_upload(
    index: IndexProcess, large: Record, call: Callable[..., Any], store: StoppableStore
) -> None:
    assert eventually(lambda: half_read(call, large))
    store.stop()
    assert eventually(lambda: progress(call, large).reason)
    assert progress(call, large).state == "uploaded"
    assert requests.get(f"{index.url}/index/index/{large.did}", timeout=30).json()["size"] is None
    store.start()
    assert eventually(lambda: verified(call, large))


def test_a_large_upload_takes_no_memory(index: IndexProcess, large: Record, call: Callable[..., Any]) -> None:
    before = index.memory_mb("VmRSS")
    assert eventually(lambda: verified(call, large))
    assert index.memory_mb("VmHWM") - before < 50


def test_deletions_whose_sweeper_was_killed_are_finished_by_the_next(
    index: IndexProcess, call: Callable[..., Any], store: StoppableStore
) -> None:
    drafts = [Draft(did=records.mint(), size=1) for _ in range(300)]
    drafts = [Draft(did=each.did, size=1, urls=[f"s3://commons/{each.did}/x"]) for each in drafts]
    made = call(put_records, drafts)
    for record in made:
        file = store.server.folder / "commons" / record.did / "x"
        file.parent.mkdir()
        file.write_bytes(b"x")
    store.start()

    def doom(connection: sa.Connection, schema: str) -> None:
        for record in made:
            deletions.begin(connection, schema, record, StorageSettings())
        table = records.tables(schema).deletion
        connection.execute(sa.update(table).values(due=sa.func.now()))

    def left(connection: sa.Connection, schema: str) -> int:
        table = records.tables(schema).deletion
        count: int = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        return count

    call(doom)
    assert eventually(lambda: call(left) < len(made))
    index.kill()
    assert call(records.get_many, [record.did for record in made]) == {}
    index.start()
    assert eventually(lambda: call(left) == 0)
    assert not any(store.has(Location.parse(record.urls[0]).key) for record in made)
