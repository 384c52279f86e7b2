"""The small dictionary, to be edited."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.dictionaries import SMALL


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., str]:
    """A copy of the small dictionary with one text replaced in one file, or with a further file."""

    def edit(file: str, old: str, new: str) -> str:
        folder = tmp_path / "edited"
        shutil.copytree(SMALL, folder)
        path = folder / file
        text = path.read_text() if path.exists() else ""
        assert old in text
        path.write_text(text.replace(old, new) if old else new)
        return str(folder)

    return edit
