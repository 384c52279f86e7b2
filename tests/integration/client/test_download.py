"""Downloads over real HTTP: resumed, verified, never half there."""

import threading
from pathlib import Path
from typing import Any

import pytest

from commonshub.client import Cancelled, ChecksumMismatch, Commons, NotFound, NotPermitted, TransferFailed

CONTENT = bytes(range(256)) * 8000  # 2 MB, several chunks


def parts(folder: Path) -> list[Path]:
    return list(folder.glob(".*.part"))


class Counter:
    """A progress that only counts."""

    def __init__(self) -> None:
        self.total = self.count = 0
        self.closed = False

    def start(self, total_bytes: int) -> None:
        self.total = total_bytes

    def update(self, count_bytes: int) -> None:
        self.count += count_bytes

    def close(self) -> None:
        self.closed = True


def test_a_file_arrives_under_its_name(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT, "a.csv")
    (file,) = commons.download("g1", tmp_path, progress=False)
    assert (file.path, file.path.read_bytes() == CONTENT) == (tmp_path / "a.csv", True)
    assert file.checksum.startswith("sha256:")
    assert parts(tmp_path) == []


def test_many_files_come_in_the_order_asked_for(commons: Commons, fake: Any, tmp_path: Path) -> None:
    guids = [fake.add(f"g{n}", bytes([n]) * n, f"{n}.bin") for n in range(20)]
    files = commons.download(guids[::-1], tmp_path, progress=False)
    assert [file.path.name for file in files] == [f"{n}.bin" for n in range(19, -1, -1)]
    assert all(file.path.stat().st_size == n for n, file in zip(range(19, -1, -1), files, strict=True))


def test_two_files_of_one_name_both_arrive(commons: Commons, fake: Any, tmp_path: Path) -> None:
    guids = [fake.add("g1", b"one", "Data.csv"), fake.add("g2", b"two", "data.csv")]
    files = commons.download(guids, tmp_path, progress=False)
    assert [file.path.read_bytes() for file in files] == [b"one", b"two"]


@pytest.mark.parametrize("name", ["../../evil.sh", "/etc/passwd", "..\\..\\evil", ".bashrc", "a/../../b", ""])
def test_no_name_leads_out_of_the_folder(commons: Commons, fake: Any, tmp_path: Path, name: str) -> None:
    fake.add("g1", b"x", name)
    (file,) = commons.download("g1", tmp_path / "data", progress=False)
    assert file.path.parent == tmp_path / "data"
    assert not file.path.name.startswith(".")
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("status", [206, 200])
def test_a_broken_connection_is_continued_by_range(commons: Commons, fake: Any, tmp_path: Path, status: int) -> None:
    fake.add("g1", CONTENT)
    fake.partial_status = status  # rclone says 200
    fake.faults = ["cut:1000000", "cut:300000"]
    (file,) = commons.download("g1", tmp_path, progress=False)
    assert file.path.read_bytes() == CONTENT
    asked = [request.get("Range") for request in fake.storage_requests]
    assert asked[0] is None
    assert all(text is not None and text.startswith("bytes=") for text in asked[1:])


def test_a_later_call_continues_what_an_earlier_one_left(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT)
    fake.faults = ["cut:1000000"] + ["503"] * 20
    with pytest.raises(TransferFailed, match="503"):
        commons.download("g1", tmp_path, progress=False)
    (part,) = parts(tmp_path)
    held = part.stat().st_size
    assert held > 0
    fake.faults, fake.storage_requests = [], []
    commons.download("g1", tmp_path, progress=False)
    assert [request.get("Range") for request in fake.storage_requests] == [f"bytes={held}-"]
    assert parts(tmp_path) == []


def test_a_storage_without_ranges_starts_over(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT)
    fake.faults, fake.ranges = ["cut:1000000"], False
    counter = Counter()
    (file,) = commons.download("g1", tmp_path, progress=counter)
    assert file.path.read_bytes() == CONTENT
    assert (counter.count, counter.total) == (len(CONTENT), len(CONTENT))


def test_a_part_of_something_else_is_fetched_anew(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT)
    fake.faults = ["cut:1000000"] + ["503"] * 20
    with pytest.raises(TransferFailed):
        commons.download("g1", tmp_path, progress=False)
    (part,) = parts(tmp_path)
    part.write_bytes(b"\0" * part.stat().st_size)
    fake.faults = []
    (file,) = commons.download("g1", tmp_path, progress=False)
    assert file.path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "change",
    [
        {"hashes": {"md5": "0" * 32}},
        {"hashes": {"sha256": "0" * 64, "md5": "1" * 32}},
        {"size": 5},
        {"size": 9_999_999},
    ],
    ids=["md5", "strongest", "longer", "shorter"],
)
def test_wrong_bytes_are_not_kept(commons: Commons, fake: Any, tmp_path: Path, change: dict[str, Any]) -> None:
    fake.add("g1", CONTENT, "a.csv", **change)
    with pytest.raises(ChecksumMismatch):
        commons.download("g1", tmp_path, progress=False)
    assert not (tmp_path / "a.csv").exists()


def test_an_expired_address_is_asked_for_anew(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT)
    fake.faults = ["403"]
    assert len(commons.download("g1", tmp_path, progress=False)) == 1


def test_a_file_that_is_here_is_not_fetched_again(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT)
    commons.download("g1", tmp_path, progress=False)
    fake.storage_requests = []
    (file,) = commons.download("g1", tmp_path, progress=False)
    assert (file.reused, fake.storage_requests) == (True, [])


def test_another_file_of_that_name_is_not_overwritten(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT, "a.csv")
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(TransferFailed, match="overwrite=True"):
        commons.download("g1", tmp_path, progress=False)
    assert (tmp_path / "a.csv").read_text() == "mine"
    commons.download("g1", tmp_path, overwrite=True, progress=False)
    assert (tmp_path / "a.csv").read_bytes() == CONTENT


def test_one_failure_does_not_stop_the_others(commons: Commons, fake: Any, tmp_path: Path) -> None:
    guids = [fake.add(f"g{n}", b"x", f"{n}") for n in range(5)]
    fake.refusals["/user/data/download/g2"] = (401, {"message": "You don't have access to g2"})
    with pytest.raises(TransferFailed) as error:
        commons.download(guids, tmp_path, progress=False)
    assert isinstance(error.value.failures["g2"], NotPermitted)
    assert [file.guid for file in error.value.done] == ["g0", "g1", "g3", "g4"]


def test_an_unknown_identifier_is_named_before_anything_is_fetched(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", b"x")
    with pytest.raises(NotFound, match="nowhere"):
        commons.download(["g1", "nowhere"], tmp_path, progress=False)
    assert fake.storage_requests == []


def test_the_storage_never_sees_our_token(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", b"x")
    commons.download("g1", tmp_path, progress=False)
    assert all("Authorization" not in request for request in fake.storage_requests)


def test_no_message_holds_a_presigned_url(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT)
    fake.faults = ["500"] * 20
    with pytest.raises(TransferFailed) as error:
        commons.download("g1", tmp_path, progress=False)
    assert "Signature" not in str(error.value)


def test_a_transfer_can_be_stopped_and_resumed(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT)
    stop = threading.Event()

    class Stopper(Counter):
        def update(self, count_bytes: int) -> None:
            if count_bytes:
                stop.set()

    with pytest.raises(Cancelled):
        commons.download("g1", tmp_path, progress=Stopper(), cancel=stop)
    assert len(parts(tmp_path)) == 1
    (file,) = commons.download("g1", tmp_path, progress=False)
    assert file.path.read_bytes() == CONTENT


def test_a_part_is_not_written_through_a_link(commons: Commons, fake: Any, tmp_path: Path) -> None:
    fake.add("g1", CONTENT)
    fake.faults = ["cut:1000000"] + ["503"] * 20
    with pytest.raises(TransferFailed):
        commons.download("g1", tmp_path, progress=False)
    (part,) = parts(tmp_path)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    part.unlink()
    part.symlink_to(victim)
    fake.faults = []
    with pytest.raises(TransferFailed):
        commons.download("g1", tmp_path, progress=False)
    assert victim.read_text() == "mine"


def test_a_table_of_files_can_be_downloaded(commons: Commons, fake: Any, tmp_path: Path) -> None:
    import pandas as pd

    fake.add("g1", b"x", "a")
    files = commons.download(pd.DataFrame({"object_id": ["g1"], "size": [1]}), tmp_path, progress=False)
    assert files.paths == [tmp_path / "a"]


def test_the_bar_counts_all_bytes(commons: Commons, fake: Any, tmp_path: Path, capsys: Any) -> None:
    fake.add("g1", CONTENT)
    commons.download("g1", tmp_path)
    assert "100%" in capsys.readouterr().err
