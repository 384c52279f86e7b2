"""Whether records and bytes agree: each way in which they may not, on a real store."""

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from tests.servers import answering
from tests.stored import put_blank, put_records
from tests.stores import StoppableStore
from tornado import netutil, web

from commonshub.core import records
from commonshub.core.errors import NotFound, Unavailable
from commonshub.core.records import Draft, Record
from commonshub.core.settings import StorageSettings
from commonshub.core.storage import Location, Storage
from commonshub.index import inspection
from commonshub.index.inspection import ADVICE, Finding, Inspection
from commonshub.index.measure import measure

SCHEMA = "index"
DATA = b"as it was"


@pytest.fixture
def storage(running: Any) -> Storage:
    return Storage(running.app.storage_settings)


@pytest.fixture
def inspect(running: Any, storage: Storage) -> Callable[..., Inspection]:
    def make(**options: Any) -> Inspection:
        return Inspection(running.app.database, SCHEMA, storage, **options)

    return make


@pytest.fixture
def put(storage: Storage) -> Callable[[str, bytes], Location]:
    def run(key: str, data: bytes = DATA) -> Location:
        location = Location("commons", key)
        requests.put(storage.presign("PUT", location, 60), data=data, timeout=30).raise_for_status()
        return location

    return run


@pytest.fixture
def stored(running: Any, put: Callable[..., Location]) -> Callable[..., Record]:
    """A record with its bytes."""

    def make(data: bytes = DATA) -> Record:
        guid = str(uuid.uuid4())
        location = put(f"{guid}/data", data)
        found = measure([data], threading.Event())
        draft = Draft(did=guid, urls=[str(location)], size=found.size, hashes=found.hashes)
        [record] = running.app.database.call(put_records, SCHEMA, [draft])
        return record

    return make


def kinds(found: Any) -> list[str]:
    return [finding.kind for finding in found]


def test_what_agrees_is_not_mentioned(inspect: Callable[..., Inspection], stored: Callable[..., Record]) -> None:
    record = stored()
    for thorough in (False, True):
        assert list(inspect(thorough=thorough).records([record.did])) == []


def test_missing_bytes_are_found(
    inspect: Callable[..., Inspection], stored: Callable[..., Record], storage: Storage
) -> None:
    record = stored()
    storage.delete(Location.parse(record.urls[0]))
    assert list(inspect().records([record.did])) == [
        Finding("missing", record.did, record.urls[0], "There is no object.")
    ]


@pytest.mark.parametrize(
    ("data", "thorough", "found"),
    [
        (b"longer than it was", False, ["changed"]),
        (b"as it wos", True, ["changed"]),
        (b"as it wos", False, []),
    ],
)
def test_changed_bytes_are_found(
    inspect: Callable[..., Inspection],
    stored: Callable[..., Record],
    put: Callable[..., Location],
    data: bytes,
    thorough: bool,
    found: list[str],
) -> None:
    record = stored()
    put(f"{record.did}/data", data)
    assert kinds(inspect(thorough=thorough).records([record.did])) == found


def test_bytes_that_change_while_they_are_read_do_not_end_the_inspection(
    inspect: Callable[..., Inspection],
    stored: Callable[..., Record],
    put: Callable[..., Location],
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restless, calm = stored(), stored()
    stream = storage.stream

    def rewritten(location: Location, *rest: int) -> Iterator[bytes]:
        yield from stream(location, *rest)
        if location.key.startswith(restless.did):
            put(location.key, b"longer than it was")

    monkeypatch.setattr(storage, "stream", rewritten)
    found = list(inspect(thorough=True).records([restless.did, calm.did]))
    assert [(each.guid, each.kind) for each in found] == [(restless.did, "changed")]
    assert "while it was read" in found[0].reason


def test_bytes_that_were_written_again_after_they_were_verified_are_found(
    running: Any, inspect: Callable[..., Inspection], stored: Callable[..., Record]
) -> None:
    record = stored()
    blob = records.tables(SCHEMA).blob
    moments = dict.fromkeys(("registered", "updated", "due"), sa.func.now())
    row = {"guid": record.did, "location": record.urls[0], "state": "verified", "stamp": "of other bytes"}
    running.app.database.call(lambda connection: connection.execute(sa.insert(blob).values(**row, **moments)))
    assert kinds(inspect().records([record.did])) == ["rewritten"]
    assert kinds(inspect(thorough=True).records([record.did])) == []


def test_objects_without_a_record_are_found(
    running: Any, inspect: Callable[..., Inspection], stored: Callable[..., Record], put: Callable[..., Location]
) -> None:
    known = stored()
    lost = put(f"{uuid.uuid4()}/a b+ü/c")
    expected = running.app.database.call(
        put_blank, SCHEMA, uploader="alice", file_name="x/y", authz=[], bucket="commons"
    )
    awaited = put(f"{expected.did}/x/y")
    found = {finding.location for finding in inspect().objects("commons")}
    assert str(lost) in found
    assert found.isdisjoint((known.urls[0], str(awaited)))


def test_failed_uploads_and_refused_deletions_are_named(
    running: Any, inspect: Callable[..., Inspection], stored: Callable[..., Record]
) -> None:
    record = stored()
    blob, deletion = records.tables(SCHEMA).blob, records.tables(SCHEMA).deletion
    moments = dict.fromkeys(("registered", "updated", "due"), sa.func.now())
    failed = {"guid": record.did, "location": record.urls[0], "state": "failed", "reason": "It broke."}
    later = sa.text("now() + interval '1 hour'")
    doomed = {"location": "s3://commons/gone", "guid": "gone", "reason": "403", "begun": later, "due": later}

    def insert(connection: sa.Connection) -> None:
        connection.execute(sa.insert(blob).values(**failed, **moments))
        connection.execute(sa.insert(deletion).values(doomed))

    running.app.database.call(insert)
    assert [each[2:] for each in inspect().records([record.did])] == [(record.urls[0], "It broke.")]
    assert list(inspect().deletions()) == [Finding("doomed", "gone", "s3://commons/gone", "403")]


def test_all_records_are_gone_through_page_by_page(
    inspect: Callable[..., Inspection],
    stored: Callable[..., Record],
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inspection, "PAGE", 2)
    made = [stored() for _ in range(5)]
    for record in made:
        storage.delete(Location.parse(record.urls[0]))
    told: list[int] = []
    found = {finding.guid for finding in inspect(tell=told.append).records() if finding.kind == "missing"}
    assert found >= {record.did for record in made}
    assert (max(told), sum(told)) == (2, inspect().count())


def test_a_guid_that_is_not_there_is_named(inspect: Callable[..., Inspection]) -> None:
    assert kinds(inspect().records(["no-such-guid"])) == ["unknown"]


def test_a_store_that_is_away_ends_the_inspection(
    inspect: Callable[..., Inspection], stored: Callable[..., Record], storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = stored()
    monkeypatch.setattr(storage.settings, "endpoint_url", "http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        list(inspect().records([record.did]))


def test_an_object_that_the_store_cannot_read_does_not_hide_the_others(
    running: Any, s3: dict[str, Any], second_store: StoppableStore
) -> None:
    storage = Storage(StorageSettings(**s3, stores={"second": second_store.settings}))
    locations = [Location("second", f"{uuid.uuid4()}") for _ in range(2)]
    for each in locations:
        requests.put(storage.presign("PUT", each, 60), data=DATA, timeout=30).raise_for_status()
        assert storage.head(each)
    # Behind the back of the store, which still lists it.
    (second_store.server.folder / "second" / locations[0].key).unlink()
    drafts = [Draft(urls=[str(each)], size=len(DATA), hashes={"md5": "0" * 32}) for each in locations]
    made = running.app.database.call(put_records, SCHEMA, drafts)
    found = Inspection(running.app.database, SCHEMA, storage, thorough=True).records([each.did for each in made])
    assert [(each.kind, each.guid) for each in found] == [("unreadable", made[0].did), ("changed", made[1].did)]


def test_a_public_bucket_is_asked_without_a_signature(s3: dict[str, Any]) -> None:
    """Its store may know none of our keys, and refuses a signature that it does not know."""
    heard: list[str] = []

    class Public(web.RequestHandler):
        def head(self) -> None:
            heard.append(self.request.query)
            self.set_header("Content-Length", "7")

    sockets = netutil.bind_sockets(0, "127.0.0.1")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    storage = Storage(StorageSettings(**s3, stores={"open": {"endpoint_url": url, "public": True}}))
    with answering(web.Application([(r"/open/key", Public)]), sockets):
        head = storage.head(Location("open", "key"))
    assert (head and head.size, heard) == (7, [""])


def test_a_bucket_that_is_none_of_ours_is_not_listed(inspect: Callable[..., Inspection]) -> None:
    with pytest.raises(NotFound):
        list(inspect().objects("elsewhere"))


def test_every_kind_of_finding_comes_with_advice() -> None:
    assert all(Finding(kind, "", "", "").advice for kind in ADVICE)
