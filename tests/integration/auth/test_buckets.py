"""Buckets that an administrator registers while the services run."""

import json
import uuid
from collections.abc import Iterator

import pytest
import requests
from tests.auth_service import Auth
from tests.stores import StoppableStore
from tests.waiting import eventually

from commonshub.core import buckets
from commonshub.core.buckets import Bucket
from commonshub.core.errors import BadRequest, NotFound
from commonshub.core.records import Record
from commonshub.core.storage import Location

# Within this the services know of a change, in seconds.
SOON_S = 20
ONE = "/programs/a/projects/one"
SCHEMA = "index"
BYTES = b"bytes of a bucket that somebody brought"


@pytest.fixture
def registered(auth: Auth, second_store: StoppableStore) -> Iterator[Bucket]:
    """The bucket of another store, of which one folder belongs to a project."""
    bucket = Bucket("second", second_store.settings, {"s3://second/one": [ONE]})
    auth.app.database.call(buckets.add, SCHEMA, bucket)
    assert eventually(lambda: "second" in auth.app.downloads.storage.buckets, SOON_S)
    yield bucket
    if auth.app.database.call(buckets.read, SCHEMA):
        auth.app.database.call(buckets.remove, SCHEMA, "second")
    assert eventually(lambda: "second" not in auth.app.downloads.storage.buckets, SOON_S)


def record_at(auth: Auth, key: str) -> Record:
    location = Location("second", key)
    url = auth.app.downloads.storage.presign("PUT", location, 60)
    requests.put(url, data=BYTES, timeout=30).raise_for_status()
    return auth.record(urls=[str(location)], size=len(BYTES), authz=[ONE])


def download(auth: Auth, record: Record) -> requests.Response:
    return auth.get(f"/user/data/download/{record.did}", "alice")


def test_a_registered_bucket_is_served_without_a_restart(auth: Auth, registered: Bucket) -> None:
    answer = download(auth, record_at(auth, f"one/{uuid.uuid4()}"))
    assert requests.get(answer.json()["url"], timeout=30).content == BYTES


def test_a_record_reaches_only_the_folder_that_its_resource_is_tied_to(auth: Auth, registered: Bucket) -> None:
    assert download(auth, record_at(auth, f"two/{uuid.uuid4()}")).status_code == 403


def test_a_bucket_that_is_removed_is_served_no_more(auth: Auth, registered: Bucket) -> None:
    record = record_at(auth, f"one/{uuid.uuid4()}")
    auth.app.database.call(buckets.remove, SCHEMA, "second")
    assert eventually(lambda: download(auth, record).status_code == 403, SOON_S)


def test_a_registered_bucket_is_changed_in_place(auth: Auth, registered: Bucket) -> None:
    record = record_at(auth, f"two/{uuid.uuid4()}")
    changed = registered._replace(resources={"s3://second": [ONE]})
    auth.app.database.call(buckets.change, SCHEMA, changed)
    assert eventually(lambda: download(auth, record).status_code == 200, SOON_S)
    assert auth.app.database.call(buckets.read, SCHEMA) == [changed]


def test_new_credentials_in_the_file_count_at_once(auth: Auth, registered: Bucket) -> None:
    record = record_at(auth, f"one/{uuid.uuid4()}")
    with open(registered.store["credentials_file"], "w") as file:
        json.dump({"access_key": "rotatedaccesskey", "secret_key": "rotatedsecretkey"}, file)
    assert "rotatedaccesskey" in download(auth, record).json()["url"]


def test_the_configuration_goes_before(auth: Auth) -> None:
    auth.app.database.call(buckets.add, SCHEMA, Bucket("commons", {"endpoint_url": "http://127.0.0.1:1"}, {}))
    auth.app.database.call(buckets.add, SCHEMA, Bucket("sign", {"public": True}, {}))
    storage = auth.app.downloads.storage
    assert eventually(lambda: "sign" in storage.buckets, SOON_S)
    assert storage.store("commons").endpoint_url == auth.app.storage_settings.endpoint_url
    for name in ("commons", "sign"):
        auth.app.database.call(buckets.remove, SCHEMA, name)
    assert eventually(lambda: "sign" not in storage.buckets, SOON_S)


def test_what_is_not_registered_cannot_be_removed(auth: Auth) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        auth.app.database.call(buckets.remove, SCHEMA, "nowhere")


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        (Bucket("a/b", {}, {}), "not the name"),
        (Bucket("", {}, {}), "not the name"),
        (Bucket("b", {"secret_key": "x"}, {}), "may have"),
        (Bucket("b", {"public": "yes"}, {}), "may have"),
        (Bucket("b", {}, {"s3://other/folder": ["/programs"]}), "begin with s3://b"),
        (Bucket("b", {}, {"s3://bc": ["/programs"]}), "begin with s3://b"),
        (Bucket("b", {}, {"s3://b": ["programs"]}), "programs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_services_could_not_use_is_refused(bucket: Bucket, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        bucket.check()
