"""Data through the unmodified Gen3 SDK."""

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.data_service import BYTES, PROJECT, SECRET, DataCommons

from commonshub.auth.claims import KEY_SCOPES
from commonshub.auth.credentials.issue import issue_key
from commonshub.core.identity import ANONYMOUS


@pytest.fixture(scope="module")
def signed_in(commons: DataCommons, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Gen3Auth of a user with a credentials file."""
    home: Path = tmp_path_factory.mktemp("home")
    app = commons.auth
    key, identifier = app.database.call(issue_key, app, ANONYMOUS, "test", "alice", 3600, KEY_SCOPES)
    (home / "credentials.json").write_text(json.dumps({"api_key": key, "key_id": str(identifier)}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GEN3SDK_MAX_RETRIES", "1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from gen3.auth import Gen3Auth

        yield Gen3Auth(refresh_file=str(home / "credentials.json"))


@pytest.fixture(scope="module")
def files(signed_in: Any) -> Any:
    from gen3.file import Gen3File

    return Gen3File(signed_in)


@pytest.mark.parametrize("protocol", [None, "s3"])
def test_get_presigned_url(commons: DataCommons, files: Any, protocol: str | None) -> None:
    url = files.get_presigned_url(commons.stored(authz=[PROJECT]).did, protocol)["url"]
    assert requests.get(url).content == BYTES


def test_download_single(commons: DataCommons, files: Any, tmp_path: Path) -> None:
    guid = commons.stored(authz=[PROJECT], file_name="data.bin").did
    assert files.download_single(guid, str(tmp_path))
    assert (tmp_path / "data.bin").read_bytes() == BYTES


def test_download_single_of_what_is_not_yours(commons: DataCommons, files: Any, tmp_path: Path) -> None:
    guid = commons.stored(authz=[SECRET]).did
    with pytest.raises(requests.HTTPError, match="401"):
        files.get_presigned_url(guid)
    assert files.download_single(guid, str(tmp_path)) is False
    assert list(tmp_path.iterdir()) == []


def test_upload_download_and_delete(commons: DataCommons, files: Any, tmp_path: Path) -> None:
    made = files.upload_file("sdk.bin", protocol="s3", expires_in=60)
    requests.put(made["url"], data=BYTES).raise_for_status()
    commons.verified(made["guid"])
    assert files.download_single(made["guid"], str(tmp_path))
    assert (tmp_path / "sdk.bin").read_bytes() == BYTES
    assert files.delete_file_locations(made["guid"]).status_code == 204
    assert commons.get(f"/index/index/{made['guid']}").status_code == 404


def test_upload_file_to_guid(commons: DataCommons, files: Any) -> None:
    guid = files.upload_file("first.bin")["guid"]
    again = files.upload_file_to_guid(guid, "second.bin", protocol="s3", expires_in=60, bucket="commons")
    requests.put(again["url"], data=BYTES).raise_for_status()
    assert commons.verified(guid)["urls"] == [f"s3://commons/{guid}/second.bin"]
    assert files.delete_file(guid) == ""


@pytest.fixture
def validation() -> Any:
    with warnings.catch_warnings():
        # Its source has an escape that Python no longer likes.
        warnings.simplefilter("ignore")
        from gen3.tools.indexing import post_indexing_validation

    return post_indexing_validation


@pytest.fixture
def manifest(commons: DataCommons, tmp_path: Path) -> str:
    """A file that its reader may have and one that he may not; the tool tries one of each ``acl``."""
    mine, secret = commons.stored(authz=[PROJECT], acl=["a"]), commons.stored(authz=[SECRET], acl=["b"])
    lines = [f"{each.did},{each.size},{each.acl[0]},{each.urls[0]}" for each in (mine, secret)]
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(["guid,size,acl,url", *lines]))
    return str(path)


def test_the_files_of_a_manifest_are_tried(signed_in: Any, validation: Any, manifest: str, tmp_path: Path) -> None:
    output = tmp_path / "tried.csv"
    validation.validate_manifest(manifest, signed_in, str(output))
    with output.open(newline="") as file:
        tried = {row["acl"]: (row["presigned_url_status"], row["download_status"]) for row in csv.DictReader(file)}
    assert tried == {"a": ("200", "200"), "b": ("401", "-1")}


def test_the_files_of_a_manifest_are_tried_step_by_step(
    signed_in: Any, files: Any, validation: Any, manifest: str, tmp_path: Path
) -> None:
    parser = validation.RecordParser(signed_in)
    parser.read_records_from_manifest(manifest)
    parser.check_records()
    tried = {record.acl: record for record in parser.record_dict.values()}
    assert {acl: record.download_status for acl, record in tried.items()} == {"a": 200, "b": -1}
    record = tried["a"]
    record.download_status = -1
    record.check_record(files)
    assert (record.response_status, record.download_status) == (200, 200)
    parser.save_download_check_results_to_csv(str(tmp_path / "tried.csv"))
    assert (tmp_path / "tried.csv").read_text().count("\n") == 3
