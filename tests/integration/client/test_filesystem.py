"""``drs://`` as a filesystem."""

from typing import Any

import fsspec
import pandas as pd
import pytest

from commonshub.client import Commons, TransferFailed
from commonshub.client.filesystem import DrsFileSystem

CONTENT = b"".join(b"%d,%d\n" % (n, n * n) for n in range(200_000))


@pytest.fixture
def files(commons: Commons, fake: Any) -> DrsFileSystem:
    fake.add("g1", CONTENT, "squares.csv")
    return DrsFileSystem(commons, skip_instance_cache=True)


def test_the_protocol_is_known_to_fsspec() -> None:
    assert fsspec.get_filesystem_class("drs") is DrsFileSystem


@pytest.mark.parametrize("form", ["g1", "drs://g1", "drs://{host}/g1"])
def test_a_file_is_found_by_every_form(files: DrsFileSystem, form: str) -> None:
    path = form.format(host=files.commons.origin.removeprefix("http://"))
    assert files.info(path)["size"] == len(CONTENT)
    assert files.cat_file(path) == CONTENT


@pytest.mark.parametrize(("start", "end"), [(0, 10), (5, 5), (100, None), (-20, None), (-20, -10), (0, 10**9)])
@pytest.mark.parametrize("storage", [{}, {"partial_status": 200}, {"ranges": False}], ids=str)
def test_a_range_is_what_a_slice_is(
    files: DrsFileSystem, fake: Any, start: int, end: int | None, storage: dict[str, Any]
) -> None:
    vars(fake).update(storage)
    assert files.cat_file("g1", start, end) == CONTENT[start:end]


def test_reading_fetches_only_what_is_read(files: DrsFileSystem, fake: Any) -> None:
    with files.open("g1", block_size=1000) as file:
        file.seek(500_000)
        assert file.read(10) == CONTENT[500_000:500_010]
    assert all(request["Range"] for request in fake.storage_requests)
    assert len(fake.storage_requests) == 1


def test_pandas_reads_it(files: DrsFileSystem) -> None:
    with files.open("g1") as file:
        assert len(pd.read_csv(file, header=None)) == 200_000


def test_an_expired_address_is_asked_for_anew(files: DrsFileSystem, fake: Any) -> None:
    fake.faults = ["403"]
    assert files.cat_file("g1", 0, 4) == CONTENT[:4]


def test_what_is_unknown_is_not_found(files: DrsFileSystem) -> None:
    assert not files.exists("nowhere")
    with pytest.raises(FileNotFoundError):
        files.open("nowhere")


def test_it_is_read_only(files: DrsFileSystem) -> None:
    with pytest.raises(TransferFailed, match="read-only"):
        files.open("g1", "wb")


def test_no_path_holds_a_presigned_url(files: DrsFileSystem) -> None:
    with files.open("g1") as file:
        file.read(1)
        assert "Signature" not in repr(file) + str(files.info("g1"))
