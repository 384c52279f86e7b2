"""The notebook that newcomers find in their folder."""

import os
from pathlib import Path

NOTEBOOK = "Start here.ipynb"

# Remembers that it was put there, so that a notebook which its owner has deleted stays deleted.
_MARK = Path(".commonshub") / "placed"


def place(source: Path, folder: Path) -> bool:
    """Put the notebook into a folder, unless it is or was there.

    Returns
    -------
    bool
        Whether it was put there now.

    Raises
    ------
    OSError
        The folder cannot be written to.
    """
    mark = folder / _MARK
    if mark.exists():
        return False
    placed = False
    try:
        # O_EXCL: never overwrite what somebody else put there meanwhile.
        handle = os.open(folder / NOTEBOOK, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(source.read_bytes())
        placed = True
    except FileExistsError:
        pass
    mark.parent.mkdir(exist_ok=True)
    mark.touch()
    return placed
