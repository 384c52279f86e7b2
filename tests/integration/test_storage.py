"""The object store, on a real S3 server."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from traitlets.config import Config

from commonshub.core.errors import BadRequest, NotFound, Unavailable, UpstreamError
from commonshub.core.settings import StorageSettings
from commonshub.core.storage import Location, Method, Storage

KEYS = ["plain.csv", "dg.TEST/0a/two words & more.csv", "ünïcode/📄.txt", "q?a=b#c%41+~(1).bin"]


@pytest.fixture
def storage(s3: dict[str, Any]) -> Storage:
    return Storage(StorageSettings(config=Config({"StorageSettings": s3})))


def put(storage: Storage, location: Location, body: bytes) -> requests.Response:
    return requests.put(storage.presign("PUT", location, 60), data=body, timeout=30)


@pytest.mark.parametrize("key", KEYS)
def test_what_was_put_by_url_is_read_back_whole(storage: Storage, key: str) -> None:
    location, body = Location("commons", key), key.encode() * 50_000
    assert put(storage, location, body).status_code == 200
    assert requests.get(storage.presign("GET", location, 60), timeout=30).content == body
    assert b"".join(storage.stream(location, 2**16)) == body
    head = storage.head(location)
    assert head is not None
    assert head.size == len(body)


def test_a_deleted_object_is_gone(storage: Storage) -> None:
    location = Location("commons", "gone.txt")
    put(storage, location, b"x")
    storage.delete(location)
    storage.delete(location)
    assert storage.head(location) is None
    with pytest.raises(NotFound):
        next(storage.stream(location))


def test_new_credentials_count_as_soon_as_they_are_in_the_file(s3: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "s3.json"
    storage = Storage(StorageSettings(**{**s3, "credentials_file": str(file)}))
    with pytest.raises(UpstreamError, match="cannot read"):
        storage.presign("GET", Location("commons", "x"), 60)
    file.write_text('{"access_key": "old"}')
    with pytest.raises(UpstreamError, match="cannot read"):
        storage.presign("GET", Location("commons", "x"), 60)
    file.write_text(Path(s3["credentials_file"]).read_text())
    assert put(storage, Location("commons", "rotated.txt"), b"x").status_code == 200


def test_credentials_that_are_replaced_within_one_moment_are_told_apart(tmp_path: Path) -> None:
    file, fresh = tmp_path / "s3.json", tmp_path / "fresh.json"
    storage = Storage(StorageSettings(credentials_file=str(file)))
    file.write_text('{"access_key": "first", "secret_key": "x"}')
    assert "first" in storage.presign("GET", Location("commons", "x"), 60)
    fresh.write_text('{"access_key": "other", "secret_key": "x"}')
    moment = file.stat().st_mtime_ns
    os.utime(fresh, ns=(moment, moment))
    fresh.replace(file)
    assert "other" in storage.presign("GET", Location("commons", "x"), 60)


def test_the_usual_sources_count_where_no_file_is_named(s3: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    keys = json.loads(Path(s3["credentials_file"]).read_text())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["secret_key"])
    storage = Storage(StorageSettings(endpoint_url=s3["endpoint_url"]))
    assert put(storage, Location("commons", "usual.txt"), b"x").status_code == 200


@pytest.mark.parametrize(("signed", "used"), [("GET", "PUT"), ("GET", "DELETE"), ("PUT", "GET"), ("HEAD", "GET")])
def test_a_url_does_only_what_it_was_signed_for(storage: Storage, signed: Method, used: str) -> None:
    location = Location("commons", "one-thing.txt")
    put(storage, location, b"x")
    assert requests.request(used, storage.presign(signed, location, 60), data=b"y", timeout=30).status_code == 403
    assert b"".join(storage.stream(location)) == b"x"


def test_a_url_reaches_no_other_object(storage: Storage) -> None:
    location = Location("commons", "mine.txt")
    put(storage, location, b"x")
    put(storage, Location("commons", "other.txt"), b"secret")
    url = storage.presign("GET", location, 60).replace("mine.txt", "other.txt")
    assert requests.get(url, timeout=30).status_code == 403


def test_a_url_ends_with_its_time(storage: Storage) -> None:
    location = Location("commons", "short.txt")
    put(storage, location, b"x")
    url = storage.presign("GET", location, 1)
    time.sleep(2.1)
    # S3 itself answers 403, the embedded store 400.
    assert requests.get(url, timeout=30).status_code in (400, 403)


def test_no_url_is_signed_for_a_bucket_of_somebody_else(storage: Storage) -> None:
    with pytest.raises(NotFound, match="elsewhere"):
        storage.presign("GET", Location("elsewhere", "key"), 60)


def test_a_store_that_does_not_answer_is_unavailable(s3: dict[str, Any]) -> None:
    settings = {**s3, "endpoint_url": "http://127.0.0.1:9"}
    with pytest.raises(Unavailable):
        Storage(StorageSettings(config=Config({"StorageSettings": settings}))).head(Location("commons", "key"))


@pytest.mark.parametrize("url", ["s3://", "s3://bucket", "s3://bucket/", "https://bucket/key", "/key", ""])
def test_only_bucket_and_key_make_a_location(url: str) -> None:
    with pytest.raises(BadRequest):
        Location.parse(url)


@pytest.mark.parametrize("key", KEYS)
def test_a_location_is_read_back_from_its_text(key: str) -> None:
    assert Location.parse(str(Location("commons", key))) == Location("commons", key)


def test_a_bucket_is_listed_page_by_page(storage: Storage, s3: dict[str, Any]) -> None:
    keys = [f"listed/{name}" for name in ("a b+c", "d%2Fe", "ü&<", "f", "g/h")]
    for key in keys:
        put(storage, Location("commons", key), key.encode())
    pages = list(storage.listing("commons", page=2))
    assert all(len(page) <= 2 for page in pages)
    found = {each.location.key: each.size for page in pages for each in page if each.location.key.startswith("listed/")}
    assert found == {key: len(key.encode()) for key in keys}


def test_a_bucket_that_is_not_there_cannot_be_listed(s3: dict[str, Any]) -> None:
    settings = Config({"StorageSettings": {**s3, "buckets": ["missing"]}})
    with pytest.raises(NotFound, match="missing"):
        next(Storage(StorageSettings(config=settings)).listing("missing"))
