"""The life of an upload on a real store: registered, uploaded, verified or failed."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import google_crc32c
import pytest
import requests
import sqlalchemy as sa
from tests.stored import put_blank, put_records
from tests.waiting import eventually

from commonshub.core import blobs, records
from commonshub.core.errors import Unavailable
from commonshub.core.records import Draft
from commonshub.core.storage import Location, Storage
from commonshub.index import ledger
from commonshub.index.app import IndexApp
from commonshub.index.blobs import BlobSettings, Worker
from commonshub.index.ledger import Measurement, Patience
from commonshub.index.measure import read

# Within this a verifier that is running has looked at an upload, in seconds.
SOON_S = 10
SCHEMA = "index"
DATA = b"a,b\n1,2\n" * 1000
PATIENCE = Patience(0.5, 600, 60, 604800)


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
        made: records.Record = call(put_blank, uploader="alice", file_name=file_name, authz=[], bucket="commons")
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


def state_of(connection: sa.Connection, schema: str, guid: str) -> tuple[str, str | None]:
    found = ledger.progress(connection, schema, guid)
    assert found
    return found.state, found.reason


def arrival(blob: ledger.Blob) -> ledger.Arrival:
    return ledger.Arrival(blob, len(DATA), "stamp")


def take(call: Callable[..., Any], **options: Any) -> ledger.Due:
    defaults = {"awaited": 9, "arrived": 9, "hastened": [], "lease_s": 60, "patience": PATIENCE}
    due: ledger.Due = call(ledger.take, **(defaults | options))
    return due


@pytest.mark.parametrize("name", ["data.csv", "a b/ü#?%2F+&.csv"])
def test_an_upload_is_verified_by_itself(
    url: str, blank: Callable[..., Any], upload: Callable[..., None], name: str
) -> None:
    record = blank(name)
    upload(record)
    document = eventually(lambda: _filled(url, record.did))
    assert document["size"] == len(DATA)
    assert document["hashes"] == {
        "md5": hashlib.md5(DATA).hexdigest(),
        "sha256": hashlib.sha256(DATA).hexdigest(),
        "crc": f"{google_crc32c.value(DATA):08x}",
    }
    assert document["urls"] == [f"s3://commons/{record.did}/{name}"]
    assert (document["form"], document["uploader"]) == ("object", "alice")
    assert document["rev"] != record.rev
    assert requests.get(f"{url}/index/index/{record.did}/blob").json() == {
        "did": record.did,
        "state": "verified",
        "reason": None,
        "size": len(DATA),
        "done": len(DATA),
    }


def _filled(url: str, did: str) -> Any:
    document = requests.get(f"{url}/index/index/{did}").json()
    return document if document["size"] is not None else None


def test_an_upload_is_found_without_anybody_asking(
    call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None]
) -> None:
    record = blank()
    upload(record)
    assert eventually(lambda: call(state_of, record.did) == ("verified", None), 3)


def test_many_uploads_at_once_are_all_verified(
    call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None]
) -> None:
    made = [blank(f"{number}.csv") for number in range(12)]
    for record in made:
        upload(record, record.did.encode())
    assert eventually(lambda: all(call(state_of, each.did)[0] == "verified" for each in made), SOON_S)
    stored = call(records.get_many, [each.did for each in made])
    assert all(each.hashes["md5"] == hashlib.md5(did.encode()).hexdigest() for did, each in stored.items())


def test_an_empty_file_is_an_upload(
    call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None]
) -> None:
    record = blank()
    upload(record, b"")
    assert eventually(lambda: call(state_of, record.did)[0] == "verified", SOON_S)
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
    [record] = call(put_records, [Draft(file_name="f", **claim)])
    upload(record)
    call(blobs.register, record.did, Location("commons", f"{record.did}/f"))
    assert eventually(lambda: call(state_of, record.did)[0] not in ("registered", "uploaded"), SOON_S)
    found, reason = call(state_of, record.did)
    assert (found, bool(reason)) == (state, state == "failed")
    if state == "failed":
        assert call(records.get, record.did) == record


def test_a_store_that_fails_is_tried_again_and_then_given_up(
    running: Any, call: Callable[..., Any], blank: Callable[..., Any], upload: Callable[..., None], still: None
) -> None:
    record = blank()
    upload(record)
    [blob] = [each for each in take(call).awaited if each.guid == record.did]
    call(ledger.arrive, [arrival(blob)])
    for attempt in range(3):
        assert call(state_of, record.did)[0] == "uploaded"
        call(ledger.postpone, blob._replace(attempts=attempt), "broken pipe", wait_s=0, most_attempts=3)
    assert call(state_of, record.did) == ("failed", "broken pipe")
    assert call(records.get, record.did).blank


def test_an_upload_that_never_comes_fails_in_the_end(
    call: Callable[..., Any], blank: Callable[..., Any], still: None
) -> None:
    record = blank()
    take(call, patience=PATIENCE._replace(abandoned_s=0))
    found, reason = call(state_of, record.did)
    assert (found, reason) == ("failed", "No bytes arrived within 0 s.")


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
    call(ledger.arrive, [arrival(blob)])
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
    assert eventually(lambda: all(call(state_of, each.did)[0] == "verified" for each in made), SOON_S)
    urls = [each.urls for each in call(records.get_many, [each.did for each in made]).values()]
    assert all(len(each) == 1 for each in urls)
    other.call(other.app.worker.stop())


@pytest.mark.parametrize("change", ["deleted", "registered anew"])
def test_a_measurement_of_what_has_changed_is_thrown_away(
    call: Callable[..., Any], blank: Callable[..., Any], still: None, change: str
) -> None:
    record = blank()
    blob = next(each for each in take(call).awaited if each.guid == record.did)
    call(ledger.arrive, [arrival(blob)])
    if change == "deleted":
        call(records.delete, record.did, record.rev)
    else:
        call(blobs.register, record.did, Location("commons", f"{record.did}/other"))
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


def test_a_worker_that_was_thought_dead_changes_nothing(
    call: Callable[..., Any], blank: Callable[..., Any], still: None
) -> None:
    record = blank()
    awaited = next(each for each in take(call).awaited if each.guid == record.did)
    call(ledger.arrive, [arrival(awaited)])
    [dead] = take(call, lease_s=0).arrived
    [alive] = take(call).arrived
    assert call(ledger.renew, [ledger.Reading(record.did, dead.claim, 7)], 60) == set()
    assert call(ledger.settle, dead, Measurement(1, {"md5": "0" * 32})) is False
    call(ledger.postpone, dead, "late", wait_s=0, most_attempts=1)
    assert call(ledger.progress, record.did) == ("uploaded", None, len(DATA), 0)
    assert call(ledger.renew, [ledger.Reading(record.did, alive.claim, 7)], 60) == {alive.claim}
    assert call(ledger.progress, record.did) == ("uploaded", None, len(DATA), 7)
    assert call(ledger.settle, alive, Measurement(len(DATA), {"md5": "0" * 32})) is True


def test_a_store_that_is_away_is_no_fault_of_an_upload(
    call: Callable[..., Any], blank: Callable[..., Any], still: None
) -> None:
    record = blank()
    awaited = next(each for each in take(call).awaited if each.guid == record.did)
    call(ledger.arrive, [arrival(awaited)])
    for _ in range(9):
        [blob] = take(call).arrived
        call(ledger.postpone, blob, "The store is away.", wait_s=0, most_attempts=None)
    assert call(state_of, record.did) == ("uploaded", "The store is away.")
    assert take(call).arrived[0].attempts == 0


def test_after_a_failure_only_new_bytes_count(
    call: Callable[..., Any], upload: Callable[..., None], storage: Storage
) -> None:
    [record] = call(put_records, [Draft(file_name="f", size=len(DATA))])
    location = Location("commons", f"{record.did}/f")
    upload(record, b"too short")
    call(blobs.register, record.did, location)
    assert eventually(lambda: call(state_of, record.did)[0] == "failed", SOON_S)
    call(blobs.register, record.did, location)
    assert eventually(lambda: _looked_at(call, record.did), SOON_S)
    assert call(state_of, record.did)[0] == "registered"
    upload(record)
    assert eventually(lambda: call(state_of, record.did)[0] == "verified", SOON_S)


def _looked_at(call: Callable[..., Any], guid: str) -> bool:
    blob = records.tables(SCHEMA).blob
    query = sa.select(blob.c.due > blob.c.registered).where(blob.c.guid == guid)
    return bool(call(lambda connection, schema: connection.execute(query).scalar_one()))


class BreaksOff(Storage):
    """A store whose connections last for one chunk."""

    def stream(self, location: Location, chunk_bytes: int = 2**20, start: int = 0) -> Iterator[bytes]:
        for number, chunk in enumerate(super().stream(location, chunk_bytes, start)):
            if number:
                raise Unavailable("The connection broke.")
            yield chunk


def test_a_read_that_breaks_off_goes_on_from_there(
    running: Any, blank: Callable[..., Any], upload: Callable[..., None], still: None
) -> None:
    record = blank()
    upload(record)
    told: list[int] = []
    storage, location = BreaksOff(running.app.storage_settings), Location("commons", f"{record.did}/data.csv")
    found = read(storage, location, 3000, threading.Event(), told.append)
    assert (found.size, found.hashes["md5"]) == (len(DATA), hashlib.md5(DATA).hexdigest())
    assert told == [3000, 6000, 8000]
