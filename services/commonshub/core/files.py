"""Files that are whole or absent, private from their first byte, and known to have changed by their stamp."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

Stamp = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """What changes when the file at `path` is written or replaced; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    # The moment alone is too coarse: two changes can fall into one tick of the filesystem's clock.
    return found.st_mtime_ns, found.st_size, found.st_ino


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step: readers see the old text or the new one, also after a crash.

    A folder that is missing is made with mode 0700.
    """
    with _fresh(path, text, mode) as fresh:
        fresh.replace(path)


def kept_secret(file: Path, make: Callable[[], str] = token_hex) -> str:
    """The secret kept in `file` (mode 0600), made when missing; two processes that start at once agree on one.

    Raises
    ------
    ValueError
        The file is empty: what is signed with an empty secret, anybody can sign.
    """
    if not file.exists():
        with _fresh(file, make(), 0o600) as fresh, suppress(FileExistsError):
            file.hardlink_to(fresh)
    secret = file.read_text()
    if not secret.strip():
        raise ValueError(f"{file} holds no secret. Delete it, and a new one is made.")
    return secret


@contextmanager
def _fresh(path: Path, text: str, mode: int) -> Iterator[Path]:
    """A file beside `path` that holds `text` on the disk; it is removed unless it has been moved."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)
