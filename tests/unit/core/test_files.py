"""Files that are whole or absent, and secrets that are made once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from commonshub.core.files import kept_secret, stamp, write_whole


def test_processes_that_start_at_once_agree_on_a_secret_that_nobody_else_reads(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "cookie"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(kept_secret, [file] * 16))
    assert len(found) == 1
    assert len(found.pop()) == 64
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in file.parent.iterdir()] == ["cookie"]


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_secret_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "cookie"
    file.write_text(content)
    with pytest.raises(ValueError, match="holds no secret"):
        kept_secret(file)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_is_replaced_as_a_whole_with_the_rights_that_were_named(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "made" / "file"
    write_whole(file, "old", mode)
    with file.open() as reader:
        write_whole(file, "new", mode)
        assert reader.read() == "old"
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == mode
    assert [each.name for each in file.parent.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(file, "\ud800")
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    stamps = [stamp(file)]
    for text in ("one", "more", "last"):
        write_whole(file, text)
        stamps.append(stamp(file))
    assert stamps[0] is None
    assert len(set(stamps)) == len(stamps)
