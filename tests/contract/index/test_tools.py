"""The manifest tools of the ``gen3`` SDK against the index, unmodified: index, download, verify, delete."""

import asyncio
import csv
import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.index_service import PROJECT

COLUMNS = ["guid", "md5", "size", "acl", "authz", "urls", "file_name"]


@pytest.fixture
def auth(url: str, token: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from gen3.auth import Gen3Auth

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GEN3SDK_MAX_RETRIES", "1")
    # The download starts `python` in processes of its own.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    return Gen3Auth(endpoint=url, access_token=token("admin"))


@pytest.fixture
def index(auth: Any) -> Any:
    from gen3.index import Gen3Index

    return Gen3Index(auth)


def row(**values: str) -> dict[str, str]:
    given = {"guid": str(uuid.uuid4()), "md5": uuid.uuid4().hex, "size": "7", "acl": "a b", "authz": PROJECT}
    return {**given, "urls": f"s3://bucket/{uuid.uuid4()}", "file_name": "data.csv", **values}


def write(path: Path, rows: list[dict[str, str]]) -> str:
    with path.open("w", newline="") as file:
        columns = [*COLUMNS, *(name for name in rows[0] if name not in COLUMNS)]
        writer = csv.DictWriter(file, columns, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def read(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def publish(auth: Any, url: str, manifest: str, folder: Path, **options: Any) -> list[dict[str, Any]]:
    from gen3.tools.indexing.index_manifest import index_object_manifest

    files, _ = index_object_manifest(
        url, manifest, 4, auth=auth, output_filename=str(folder / "published.csv"), **options
    )
    return list(files)


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.tsv"])
def test_a_manifest_is_indexed(auth: Any, index: Any, url: str, tmp_path: Path, name: str) -> None:
    rows = [row(), row(guid=""), row(acl="", authz="", file_name="", size="0"), row(guid=f"dg.M/{uuid.uuid4()}")]
    publish(auth, url, write(tmp_path / name, rows), tmp_path)
    published = {each["md5"]: each for each in read(tmp_path / "published.csv", "\t")}
    for each in rows:
        record = index.get_record(published[each["md5"]]["guid"])
        assert record["did"] == each["guid"] or not each["guid"]
        assert (record["hashes"], record["size"]) == ({"md5": each["md5"]}, int(each["size"]))
        assert (record["urls"], record["acl"]) == ([each["urls"]], each["acl"].split())
        assert (record["authz"], record["file_name"]) == (each["authz"].split(), each["file_name"])


@pytest.mark.parametrize(("replace", "kept"), [(True, False), (False, True)])
def test_a_manifest_changes_what_is_indexed(
    auth: Any, index: Any, url: str, tmp_path: Path, replace: bool, kept: bool
) -> None:
    before = row()
    publish(auth, url, write(tmp_path / "a.csv", [before]), tmp_path)
    after = {**before, "urls": "s3://other/place", "file_name": "new.csv", "acl": "c"}
    publish(auth, url, write(tmp_path / "b.csv", [after]), tmp_path, replace_urls=replace)
    record = index.get_record(before["guid"])
    assert (record["file_name"], record["acl"]) == ("new.csv", ["c"])
    assert set(record["urls"]) == {after["urls"], *([before["urls"]] if kept else [])}


def test_a_manifest_with_other_bytes_leaves_the_record_alone(auth: Any, index: Any, url: str, tmp_path: Path) -> None:
    before = row()
    publish(auth, url, write(tmp_path / "a.csv", [before]), tmp_path)
    record = index.get_record(before["guid"])
    publish(auth, url, write(tmp_path / "b.csv", [{**before, "size": "8", "file_name": "new"}]), tmp_path)
    assert index.get_record(before["guid"]) == record


def test_a_manifest_adds_a_version(auth: Any, index: Any, url: str, tmp_path: Path) -> None:
    first = row()
    publish(auth, url, write(tmp_path / "a.csv", [first]), tmp_path)
    second = row(guid="", prev_guid=first["guid"])
    [published] = publish(auth, url, write(tmp_path / "b.csv", [second]), tmp_path)
    assert [each["did"] for each in index.get_versions(first["guid"])] == [first["guid"], published["guid"]]


def test_all_records_are_downloaded_as_a_manifest(auth: Any, index: Any, url: str, tmp_path: Path) -> None:
    from gen3.tools.indexing.download_manifest import async_download_object_manifest

    rows = [row(file_name="with space, and comma"), row(urls="s3://b/a%20b")]
    publish(auth, url, write(tmp_path / "a.csv", rows), tmp_path)
    output = tmp_path / "all.csv"
    asyncio.run(async_download_object_manifest(url, output_filename=str(output), num_processes=2))
    downloaded = {each["guid"]: each for each in read(output)}
    assert len(downloaded) == index.get_stats()["fileCount"]
    for each in rows:
        found = downloaded[each["guid"]]
        assert (found["md5"], found["file_size"], found["file_name"]) == (each["md5"], "7", each["file_name"])
        assert (found["urls"], found["acl"], found["authz"]) == (each["urls"], "a b", PROJECT)


def test_the_records_of_a_manifest_are_downloaded_by_checksum(auth: Any, url: str, tmp_path: Path) -> None:
    from gen3.tools.indexing.download_manifest import async_download_object_manifest

    known, unknown = row(), row(guid="")
    publish(auth, url, write(tmp_path / "a.csv", [known]), tmp_path)
    wanted = write(tmp_path / "wanted.csv", [{**known, "guid": ""}, unknown])
    output = tmp_path / "found.csv"
    asyncio.run(
        async_download_object_manifest(url, output_filename=str(output), num_processes=1, input_manifest=wanted)
    )
    assert {each["md5"]: each["guid"] for each in read(output)} == {known["md5"]: known["guid"], unknown["md5"]: ""}


@pytest.mark.filterwarnings("ignore:code property is deprecated")
def test_a_manifest_is_verified(auth: Any, url: str, tmp_path: Path) -> None:
    from gen3.tools.indexing.verify_manifest import async_verify_object_manifest

    right, changed, missing = row(), row(), row()
    publish(auth, url, write(tmp_path / "a.csv", [right, changed]), tmp_path)
    manifest = write(tmp_path / "b.csv", [right, {**changed, "size": "8", "acl": "c"}, missing])
    log = tmp_path / "errors.log"
    asyncio.run(async_verify_object_manifest(url, manifest, max_concurrent_requests=4, output_filename=str(log)))
    faults = {tuple(line.split("|")[:2]) for line in log.read_text().splitlines()}
    assert faults == {(changed["guid"], "file_size"), (changed["guid"], "acl"), (missing["guid"], "no_record")}


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.tsv"])
def test_the_records_of_a_manifest_are_deleted(auth: Any, index: Any, url: str, tmp_path: Path, name: str) -> None:
    from gen3.tools.indexing.index_manifest import delete_all_guids

    gone, kept = [row(), row()], row()
    publish(auth, url, write(tmp_path / "a.csv", [*gone, kept]), tmp_path)
    delete_all_guids(auth, write(tmp_path / name, gone))
    assert [index.get_record(each["guid"]) for each in gone] == [None, None]
    assert index.get_record(kept["guid"])["did"] == kept["guid"]
