"""A commons that holds nothing yet."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import commonshub.server
from commonshub.client import Commons
from commonshub.widgets import FileBrowser

NOTEBOOK = Path(commonshub.server.__file__).parent / "notebooks" / "Start here.ipynb"


@pytest.fixture(scope="module")
def newcomer(live: Any) -> Iterator[Commons]:
    with Commons(api_key=live.key_file("nina", admin=True)) as commons:
        yield commons


def test_tables_are_empty_and_not_missing(newcomer: Commons) -> None:
    assert list(newcomer.projects()["project_id"]) == []
    assert list(newcomer.files()["object_id"]) == []


def test_downloading_no_files_is_no_error(newcomer: Commons, tmp_path: Path) -> None:
    assert newcomer.download(newcomer.files(), tmp_path, progress=False) == []


def test_the_browser_says_that_there_is_nothing(newcomer: Commons) -> None:
    assert "no project here that you may read" in FileBrowser(newcomer).message.value


def test_the_first_notebook_runs_all_the_same(live: Any, newcomer: Commons, tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    script = "\n".join(["from IPython.display import display", *sources])
    environ = {**os.environ, "HOME": str(tmp_path), "GEN3_API_KEY": str(live.folder / "nina.json")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
