"""What `up` tells people to type."""

import subprocess
import sys
from pathlib import Path

import pytest

from commonshub.hub.folder import DataFolder
from commonshub.hub.up import own_command, password_file, welcome


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


def test_a_password_is_told_only_where_one_serves(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.create()
    password_file(folder).write_text("secret-word")
    assert "secret-word" in welcome(folder, reveal=True)
    provider = {"issuer": "https://provider.example", "client_id": "commons"}
    folder.config_file.write_text(f"c.SignInSettings.providers = {{'uni': {provider}}}\n")
    assert "secret-word" not in welcome(folder, reveal=True)


def test_the_supervisor_loads_nothing_of_the_hub() -> None:
    code = "import commonshub.hub.up, sys; print(*{'jupyterhub', 'sqlalchemy', 'tornado'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-P", "-c", code], text=True).split() == []
