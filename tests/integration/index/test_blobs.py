"""The life of an upload on a real store: registered, uploaded, verified or failed."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from commonshub.core import records
from commonshub.core.records import Draft
from commonshub.core.storage import Location, Storage
from commonshub.index import ledger
from commonshub.index.app import IndexApp
from commonshub.index.blobs import BlobSettings, Worker
from commonshub.index.ledger import Measurement, Patience

SCHEMA = "index"
DATA = b"a,b\n1,2\n" * 1000
PATIENCE = Patience(0.5, 600, 60, 604800)


def eventually(condition: Callable[[], Any], timeout_s: float = 10) -> Any:
    end = time.monotonic() + timeout_s
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


@pytest.fixture
def storage(running: Any) -> Storage:
    return Storage(running.app.storage_settings)


@pytest.fixture
def call(running: Any) -> Callable[..., Any]:
    """Run a function of records or ledger in a transaction of its own."""

    def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return running.app.database.call(function, SCHEMA, *args, **kwargs)

    return run


@pytest.fixture
def blank(call: Callable[..., Any]) -> Callable[..., records.Record]:
    def make(file_name: str = "data.csv") -> records.Record:
        made: records.Record = call(
            records.create_blank, uploader="alice", file_name=file_name, authz=[], bucket="commons"
        )
        return made

    return make


@pytest.fixture
def upload(storage: Storage) -> Callable[..., None]:
    """Put bytes where a record expects them, by a presigned URL as clients do."""

    def put(record: records.Record, data: bytes = DATA) -> None:
        location = Location("commons", f"{record.did}/{record.file_name}")
        requests.put(storage.presign("PUT", location, 60), data=data, timeout=30).raise_for_status()

    return put


@pytest.fixture
def still(running: Any) -> Any:
    """The database without a worker that would interfere."""
    running.call(running.app.worker.stop())
    yield
    app = running.app

    async def restart() -> None:
        app.worker = Worker(app.database, SCHEMA, app.worker.storage, app.worker.settings)
        await app.worker.start()

    running.call(restart())


def take(call: Callable[..., Any], **options: Any) -> ledger.Due:
    defaults = {"awaited": 9, "arrived": 9, "hastened": [], "lease_s": 60, "patience": PATIENCE}
    due: ledger.Due = call(ledger.take, **(defaults | options))
    return due


@pytest.mark.parametrize("name", ["data.csv", "a b/ü#?%2F+&.csv"])
def test_an_upload_is_verified_within_two_seconds(
    url: str, blank: Callable[..., Any], upload: Callable[..., None], name: str
) -> None:
    record = blank(name)
    upload(record)
    ended = time.monotonic()
    document = eventually(lambda: _filled(url, record.did))
    assert time.monotonic() - ended < 2
    assert document["size"] == len(DATA)
    assert document["hashes"] == {
        "md5": hashlib.md5(DATA).hexdigest(),
        "sha256": hashlib.sha256(DATA).hexdigest(),
    }
    assert document["urls"] == [f"s3://commons/{record.did}/{name}"]
    assert (document["form"], document["uploader"]) == ("object", "alice")
    assert document["rev"] != record.rev
    assert requests.get(f"{url}/index/index/{record.did}/blob").json()["state"] == "verified"


def _filled(url: str, did: str) -> Any:
    document = requests.get(f"{url}/index/index/{did}").json()
    return document if document["size"] is not None else None


def test_an_upload_is_found_without_anybody_asking(
    call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None]
) -> None:
    record = blank()
    upload(record)
    assert eventually(lambda: call(records.blob_state, record.did) == ("verified", None), 3)


def test_many_uploads_at_once_are_all_verified(
    call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None]
) -> None:
    made = [blank(f"{number}.csv") for number in range(12)]
    for record in made:
        upload(record, record.did.encode())
    assert eventually(lambda: all(call(records.blob_state, each.did)[0] == "verified" for each in made))
    stored = call(records.get_many, [each.did for each in made])
    assert all(each.hashes["md5"] == hashlib.md5(did.encode()).hexdigest() for did, each in stored.items())


def test_an_empty_file_is_an_upload(
    call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None]
) -> None:
    record = blank()
    upload(record, b"")
    assert eventually(lambda: call(records.blob_state, record.did)[0] == "verified")
    assert call(records.get, record.did).size == 0


@pytest.mark.parametrize(
    ("claim", "state"),
    [
        ({"size": len(DATA)}, "verified"),
        ({"size": len(DATA) + 1}, "failed"),
        ({"hashes": {"md5": "0" * 32}}, "failed"),
        ({"hashes": {"sha1": "0" * 40}}, "verified"),
    ],
    ids=str,
)
def test_bytes_are_compared_with_what_the_record_says_already(
    call: Callable[..., Any],
    upload: Callable[..., None],
    claim: dict[str, Any],
    state: str,
) -> None:
    [record] = call(records.create, [Draft(file_name="f", **claim)])
    upload(record)
    call(records.register_blob, record.did, Location("commons", f"{record.did}/f"))
    assert eventually(lambda: call(records.blob_state, record.did)[0] not in ("registered", "uploaded"))
    found, reason = call(records.blob_state, record.did)
    assert (found, bool(reason)) == (state, state == "failed")
    if state == "failed":
        assert call(records.get, record.did) == record


def test_a_store_that_fails_is_tried_again_and_then_given_up(
    running: Any, call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None], still: None
) -> None:
    record = blank()
    upload(record)
    [blob] = [each for each in take(call).awaited if each.guid == record.did]
    call(ledger.arrive, [blob])
    for attempt in range(3):
        assert call(records.blob_state, record.did)[0] == "uploaded"
        call(ledger.postpone, blob._replace(attempts=attempt), "broken pipe", wait_s=0, most_attempts=3)
    assert call(records.blob_state, record.did) == ("failed", "broken pipe")
    assert call(records.get, record.did).blank


def test_an_upload_that_never_comes_fails_in_the_end(
    call: Callable[..., Any], blank: Callable[..., Any], still: None
) -> None:
    record = blank()
    take(call, patience=PATIENCE._replace(abandoned_s=0))
    state, reason = call(records.blob_state, record.did)
    assert (state, reason) == ("failed", "No bytes arrived within 0 s.")


def test_what_is_taken_is_not_taken_again_until_it_is_due(
    call: Callable[..., Any], blank: Callable[..., Any], still: None
) -> None:
    record = blank()
    take(call)
    later = take(call, awaited=1)
    assert record.did not in [each.guid for each in later.awaited]
    assert later.next_s is not None
    assert 0 <= later.next_s <= 1
    assert record.did in [each.guid for each in take(call, hastened=[record.did]).awaited]


def test_a_measurement_whose_worker_died_is_taken_over(
    running: Any, call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None], still: None
) -> None:
    record = blank()
    upload(record)
    blob = next(each for each in take(call).awaited if each.guid == record.did)
    call(ledger.arrive, [blob])
    taken = take(call, lease_s=0.2)
    assert [each.guid for each in taken.arrived] == [record.did]
    assert take(call).arrived == []
    time.sleep(0.25)
    assert [each.guid for each in take(call).arrived] == [record.did]


def test_two_workers_share_the_work_without_doing_it_twice(
    run_service: Callable[..., Any],
    running: Any,
    call: Callable[..., Any],
    blank: Callable[..., Any],
    upload: Callable[..., None],
) -> None:
    other = run_service(IndexApp)
    made = [blank(f"{number}") for number in range(8)]
    for record in made:
        upload(record)
    assert eventually(lambda: all(call(records.blob_state, each.did)[0] == "verified" for each in made))
    urls = [each.urls for each in call(records.get_many, [each.did for each in made]).values()]
    assert all(len(each) == 1 for each in urls)
    other.call(other.app.worker.stop())


@pytest.mark.parametrize("change", ["deleted", "registered anew"])
def test_a_measurement_of_what_has_changed_is_thrown_away(
    call: Callable[..., Any], blank: Callable[..., Any], still: None, change: str
) -> None:
    record = blank()
    blob = next(each for each in take(call).awaited if each.guid == record.did)
    call(ledger.arrive, [blob])
    if change == "deleted":
        call(records.delete, record.did, record.rev)
    else:
        call(records.register_blob, record.did, Location("commons", f"{record.did}/other"))
    assert call(ledger.settle, blob, Measurement(1, {"md5": "0" * 32})) is False
    left = call(records.get, record.did)
    assert left is None or left.blank


def test_idle_costs_nothing_but_a_query_now_and_then(running: Any, call: Callable[..., Any], still: None) -> None:
    with running.app.database.engine.begin() as connection:
        connection.execute(sa.delete(records.tables(SCHEMA).blob))
    assert take(call) == ledger.Due([], [], None)


def test_the_settings_name_their_units() -> None:
    for name in BlobSettings.class_trait_names(config=True):
        assert name.endswith(("_s", "_bytes", "_attempts", "_divisor")) or name == "concurrency"
