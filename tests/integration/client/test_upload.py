"""Uploads over real HTTP: sent, verified, told when not."""

from pathlib import Path
from typing import Any

import pytest

from commonshub.client import ChecksumMismatch, Commons, NotPermitted, TransferFailed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "measures.csv"
    path.write_bytes(b"a,b\n1,2\n" * 100_000)
    return path


def test_a_file_is_sent_and_verified(commons: Commons, fake: Any, file: Path) -> None:
    record = commons.upload(file, progress=False)
    assert fake.objects[record.guid] == file.read_bytes()
    assert (record.verified, record.name, record.size) == (True, "measures.csv", file.stat().st_size)


def test_an_empty_file_can_be_sent(commons: Commons, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert commons.upload(tmp_path / "empty", progress=False).size == 0


def test_it_may_have_another_name(commons: Commons, file: Path) -> None:
    assert commons.upload(file, file_name="other.csv", progress=False).name == "other.csv"


@pytest.mark.parametrize("faults", [["503"], ["403", "500"]])
def test_a_failing_storage_is_tried_again_under_the_same_guid(
    commons: Commons, fake: Any, file: Path, faults: list[str]
) -> None:
    fake.faults = faults
    commons.upload(file, progress=False)
    assert len(fake.records) == 1


def test_a_failure_says_how_to_go_on(commons: Commons, fake: Any, file: Path) -> None:
    fake.faults = ["503"] * 10
    with pytest.raises(TransferFailed, match="guid='new-0'"):
        commons.upload(file, progress=False)
    fake.faults = []
    assert commons.upload(file, guid="new-0", progress=False).guid == "new-0"


def test_other_bytes_in_the_storage_are_noticed(commons: Commons, fake: Any, file: Path) -> None:
    fake.faults = ["garble"]
    with pytest.raises(ChecksumMismatch):
        commons.upload(file, progress=False)


def test_waiting_for_the_verification_ends(commons: Commons, fake: Any, file: Path) -> None:
    fake.verify_after = 10_000
    with pytest.raises(TransferFailed, match="not verified it within"):
        commons.upload(file, wait_s=0.05, progress=False)


def test_nobody_has_to_wait(commons: Commons, fake: Any, file: Path) -> None:
    fake.verify_after = 10_000
    assert not commons.upload(file, wait_s=0, progress=False).verified


def test_a_missing_file_is_told_before_a_record_is_made(commons: Commons, fake: Any, tmp_path: Path) -> None:
    with pytest.raises(TransferFailed, match="no file"):
        commons.upload(tmp_path / "nothing", progress=False)
    assert fake.records == {}


def test_who_may_not_upload_is_told(commons: Commons, fake: Any, file: Path) -> None:
    fake.refusals["/user/data/upload"] = (403, {"message": "You may not upload."})
    with pytest.raises(NotPermitted, match="You may not upload"):
        commons.upload(file, progress=False)


def test_the_storage_never_sees_our_token(commons: Commons, fake: Any, file: Path) -> None:
    commons.upload(file, progress=False)
    assert all("Authorization" not in request for request in fake.storage_requests)
