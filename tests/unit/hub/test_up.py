"""What `up` tells people to type."""

import sys
from pathlib import Path

import pytest

from commonshub.hub.up import own_command


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed command in an environment below the working folder, whose name has a blank."""
    folder = tmp_path / "my env" / "bin"
    folder.mkdir(parents=True)
    (folder / "commonshub").touch(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    return folder / "commonshub"


def test_a_command_on_the_path_is_called_by_name(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert own_command() == "commonshub"


def test_a_command_below_the_working_folder_is_called_from_there(program: Path) -> None:
    assert own_command() == "'my env/bin/commonshub'"


def test_any_other_command_is_called_by_its_whole_path(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere := program.parents[2] / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    assert own_command() == f"'{program}'"
