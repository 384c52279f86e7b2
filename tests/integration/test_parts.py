"""Files of ours as objects in parts, on a real S3 server."""

import os
from pathlib import Path
from typing import Any

import pytest

from commonshub.core import listings, parts
from commonshub.core.errors import BadRequest, Unavailable, UpstreamError
from commonshub.core.settings import StorageSettings
from commonshub.core.storage import Location, Readable, Storage

PART = 5 * 2**20


@pytest.fixture
def storage(s3: dict[str, Any]) -> Storage:
    return Storage(StorageSettings(**s3))


class Breaking(Storage):
    """A store that goes away at the second part of each upload."""

    def put(self, location: Location, body: Readable, size: int, **query: str) -> str:
        if query.get("partNumber") == "2":
            raise Unavailable("The object store went away.")
        return super().put(location, body, size, **query)


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 2 * PART, 2 * PART + 7])
def test_a_file_of_any_size_arrives_whole(storage: Storage, tmp_path: Path, size: int) -> None:
    file, location = tmp_path / "file", Location("commons", f"parts/{size} bytes & more")
    file.write_bytes(os.urandom(size))
    parts.put(storage, location, file, PART)
    assert b"".join(storage.stream(location)) == file.read_bytes()
    assert parts.unended(storage, "commons", "parts/") == []


def test_parts_grow_where_they_would_be_too_many(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, location = tmp_path / "file", Location("commons", "parts/grown")
    file.write_bytes(os.urandom(2 * PART))
    monkeypatch.setattr(parts, "MAX_PARTS", 2)
    parts.put(storage, location, file, 1)
    assert b"".join(storage.stream(location)) == file.read_bytes()


def test_an_upload_that_breaks_off_leaves_nothing_behind(s3: dict[str, Any], tmp_path: Path) -> None:
    storage, file, location = Breaking(StorageSettings(**s3)), tmp_path / "file", Location("commons", "parts/broken")
    file.write_bytes(os.urandom(2 * PART))
    with pytest.raises(Unavailable, match="went away"):
        parts.put(storage, location, file, PART)
    assert (storage.head(location), parts.unended(storage, "commons", "parts/")) == (None, [])


def test_a_file_that_shrinks_meanwhile_leaves_nothing_behind(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, location = tmp_path / "file", Location("commons", "parts/shrunk")
    file.write_bytes(os.urandom(2 * PART))
    begin = parts.begin

    def shrinking(*given: Any) -> str:
        os.truncate(file, PART + 1)
        return begin(*given)

    monkeypatch.setattr(parts, "begin", shrinking)
    storage = Storage(storage.settings, timeout_s=1)
    with pytest.raises(Unavailable, match="PUT"):
        parts.put(storage, location, file, PART)
    assert (storage.head(location), parts.unended(storage, "commons", "parts/")) == (None, [])


def test_uploads_that_nobody_ended_are_found_below_a_prefix(storage: Storage) -> None:
    ours, other = Location("commons", "left/1/case.parquet"), Location("commons", "kept/x")
    uploads = {each: parts.begin(storage, each) for each in (ours, other)}
    assert parts.unended(storage, "commons", "left/") == [(ours, uploads[ours])]
    for location, upload in uploads.items():
        parts.give_up(storage, location, upload)
        parts.give_up(storage, location, upload)
    assert [parts.unended(storage, "commons", prefix) for prefix in ("left/", "kept/")] == [[], []]
    with pytest.raises(BadRequest, match="NoSuchUpload"):
        parts.join(storage, ours, uploads[ours], {1: "x"})


@pytest.mark.parametrize("text", [b"", b"<html/>", b"<ListBucketResult/>"])
def test_a_list_that_is_none_is_told_of(text: bytes) -> None:
    with pytest.raises(UpstreamError, match="commons"):
        listings.uploads("commons", text)
