"""Deleting data at several stores: all of it or nothing, whatever stops in between."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.auth_service import Auth
from tests.stores import StoppableStore
from tests.waiting import eventually

from commonshub.core import deletions, records
from commonshub.core.errors import Conflict
from commonshub.core.storage import Location
from commonshub.index.blobs import BlobSettings
from commonshub.index.sweeper import Sweeper

# Within this the bytes of a deleted record are gone, in seconds.
SOON_S = 20
ONE = "/programs/a/projects/one"
SCHEMA = "index"


@pytest.fixture
def store(auth: Auth, second_store: StoppableStore) -> Iterator[StoppableStore]:
    """A second store whose bucket belongs to the project."""
    settings = auth.app.storage_settings
    settings.stores = {"second": second_store.settings}
    settings.bucket_resources = {"s3://second": [ONE]}
    yield second_store
    settings.stores, settings.bucket_resources = {}, {}


@pytest.fixture
def record(auth: Auth, store: StoppableStore) -> records.Record:
    """A record with bytes in both stores."""
    guid = str(uuid.uuid4())
    places = [Location("commons", f"{guid}/x"), Location("second", f"{guid}/x")]
    for place in places:
        requests.put(auth.app.uploads.storage.presign("PUT", place, 60), data=b"x", timeout=30).raise_for_status()
    return auth.record(did=guid, urls=[str(place) for place in places], size=1, authz=[ONE])


def delete(auth: Auth, record: records.Record) -> requests.Response:
    return auth.request("DELETE", f"/user/data/{record.did}", "writer")


def stored(auth: Auth, record: records.Record) -> records.Record | None:
    found: records.Record | None = auth.app.database.call(records.get, SCHEMA, record.did)
    return found


def first_is_there(auth: Auth, record: records.Record) -> bool:
    return auth.app.uploads.storage.head(Location("commons", f"{record.did}/x")) is not None


def doomed(auth: Auth) -> list[Any]:
    table = records.tables(SCHEMA).deletion
    return list(auth.app.database.call(lambda connection: connection.execute(sa.select(table))))


@pytest.fixture
def sweep(auth: Auth) -> Iterator[Callable[[], None]]:
    """Let everything doomed fall due, and start what an index service does about it."""
    settings = BlobSettings(retry_s=0.1, idle_s=0.2, longest_wait_s=0.5)
    sweeper = Sweeper(auth.app.database, SCHEMA, auth.app.uploads.storage, settings)

    async def begin() -> None:
        sweeper.start()
        await asyncio.sleep(0)

    def start() -> None:
        table = records.tables(SCHEMA).deletion
        auth.app.database.call(lambda connection: connection.execute(sa.update(table).values(due=sa.func.now())))
        auth.running.call(begin())

    yield start
    auth.running.call(sweeper.stop())


def test_data_go_from_all_their_stores(auth: Auth, record: records.Record, store: StoppableStore) -> None:
    assert delete(auth, record).status_code == 204
    assert stored(auth, record) is None
    assert not first_is_there(auth, record)
    assert not store.has(f"{record.did}/x")
    assert doomed(auth) == []


def test_nothing_goes_where_one_store_is_stopped(auth: Auth, record: records.Record, store: StoppableStore) -> None:
    store.stop()
    answer = delete(auth, record)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert stored(auth, record) == record
    assert first_is_there(auth, record)
    assert store.has(f"{record.did}/x")
    store.start()
    assert delete(auth, record).status_code == 204


def test_what_a_store_that_stops_in_the_middle_keeps_goes_when_it_is_back(
    auth: Auth,
    record: records.Record,
    store: StoppableStore,
    sweep: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = auth.app.uploads.storage
    really = storage.delete

    def stopping(location: Location) -> None:
        really(location)
        store.stop()

    monkeypatch.setattr(storage, "delete", stopping)
    assert delete(auth, record).status_code == 204
    monkeypatch.undo()
    assert stored(auth, record) is None
    assert not first_is_there(auth, record)
    assert store.has(f"{record.did}/x")
    sweep()
    assert eventually(lambda: doomed(auth)[0].reason, SOON_S)
    store.start()
    assert eventually(lambda: doomed(auth) == [], SOON_S)
    assert not store.has(f"{record.did}/x")


def test_a_crash_after_the_decision_is_made_good(
    auth: Auth, record: records.Record, store: StoppableStore, sweep: Callable[[], None]
) -> None:
    auth.app.database.call(deletions.begin, SCHEMA, record, auth.app.storage_settings)
    assert stored(auth, record) is None
    sweep()
    assert eventually(lambda: doomed(auth) == [], SOON_S)
    assert not first_is_there(auth, record)
    assert not store.has(f"{record.did}/x")


def test_a_record_that_has_changed_meanwhile_is_not_deleted(
    auth: Auth, record: records.Record, store: StoppableStore
) -> None:
    auth.app.database.call(records.update, SCHEMA, record.did, record.rev, {"authz": ["/programs/other"]})
    with pytest.raises(Conflict):
        auth.app.database.call(deletions.begin, SCHEMA, record, auth.app.storage_settings)
    assert doomed(auth) == []


def test_bytes_that_a_new_record_stands_for_are_spared(
    auth: Auth, record: records.Record, store: StoppableStore, sweep: Callable[[], None]
) -> None:
    auth.app.database.call(deletions.begin, SCHEMA, record, auth.app.storage_settings)
    auth.record(urls=[f"s3://second/{record.did}/x"], size=1, authz=[ONE])
    sweep()
    assert eventually(lambda: doomed(auth) == [], SOON_S)
    assert not first_is_there(auth, record)
    assert store.has(f"{record.did}/x")


def test_nothing_is_uploaded_to_where_bytes_are_being_deleted(
    auth: Auth, record: records.Record, store: StoppableStore
) -> None:
    auth.app.database.call(deletions.begin, SCHEMA, record, auth.app.storage_settings)
    auth.record(did=record.did, authz=[ONE], form=None)
    answer = auth.get(f"/user/data/upload/{record.did}?file_name=x", "writer")
    assert answer.status_code == 409
    assert "still being deleted" in answer.text
    auth.app.database.call(deletions.end, SCHEMA, [Location("commons", f"{record.did}/x")])
    assert auth.get(f"/user/data/upload/{record.did}?file_name=x", "writer").status_code == 200
