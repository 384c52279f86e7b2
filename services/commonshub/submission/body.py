"""The bytes of a request: in memory while they are few, else in a file.

A file has a name only where the request must outlive its process. Others have none, so that they go with it.
"""

import hashlib
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

BLOCK_BYTES = 2**20


class Body:
    """What a client sends, written piece by piece and then read as often as needed, by one reader at a time.

    Parameters
    ----------
    folder
        Where files are; made when the first one is needed.
    memory_bytes
        A longer body goes to a file.
    path
        The file, for a body that must outlive its process; it is then in a file however short it is.

    Attributes
    ----------
    size
        Bytes that have been written.
    """

    def __init__(self, folder: Path, memory_bytes: int, path: Path | None = None) -> None:
        self.size = 0
        self.path = path
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self._users, self._remove = 1, True
        # Its users close it on threads of their own.
        self._closing = Lock()

    @classmethod
    def of(cls, data: bytes) -> "Body":
        """A body that is there already, in memory."""
        made = cls(Path(), sys.maxsize)
        made.write(data)
        return made

    @classmethod
    def kept(cls, path: Path) -> "Body":
        """A body that an earlier process wrote to `path`.

        Raises
        ------
        FileNotFoundError
            It is gone.
        """
        made = cls(path.parent, 0)
        made.path = path
        made._file = path.open("rb")
        made.size = path.stat().st_size
        return made

    @property
    def large(self) -> bool:
        """Whether it is longer than what is kept in memory."""
        return self.size > self._memory_bytes

    @property
    def waits(self) -> bool:
        """Whether writing and closing may wait for a disk, and are no work for the event loop."""
        return self.path is not None or self._file is not None

    def write(self, data: bytes) -> None:
        """Append `data`; blocks where there is a file."""
        if not data:
            return
        self.size += len(data)
        if self._file is None and (self.large or self.path is not None):
            self._file = self._open()
            self._file.write(self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += data
        else:
            self._file.write(data)

    def _open(self) -> BinaryIO:
        if self.path is not None:
            return _create(self.path)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder))

    def settle(self) -> None:
        """Return when all that was written is on the disk, where it goes to a file with a name."""
        if self.path is not None:
            if self._file is None:
                self._file = self._open()
            self._file.flush()
            os.fsync(self._file.fileno())

    def blocks(self) -> Iterator[bytes]:
        """The bytes from the beginning, in pieces."""
        if self._file is None:
            yield bytes(self._memory)
            return
        self._file.flush()
        place, descriptor = 0, self._file.fileno()
        while block := os.pread(descriptor, BLOCK_BYTES, place):
            place += len(block)
            yield block

    def parts(self) -> Iterator[bytes]:
        """The bytes in compressed pieces, each of which stands alone; see :func:`join`."""
        for block in self.blocks():
            yield zlib.compress(block, 1)

    def bytes(self) -> bytes:
        """All of it at once."""
        return b"".join(self.blocks())

    def digest(self) -> str:
        """SHA-256 in hexadecimal."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    def keep(self) -> None:
        """Have one more user, who closes it as well."""
        self._users += 1

    def close(self, *, remove: bool = True) -> None:
        """Give the memory back, and the file, once all users have; a file with a name stays where one says so."""
        with self._closing:
            self._users -= 1
            self._remove = self._remove and remove
            if self._users:
                return
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
        if self.path is not None and self._remove:
            self.path.unlink(missing_ok=True)


def join(parts: Iterator[bytes], body: Body) -> Body:
    """Write what :meth:`Body.parts` took apart into another body."""
    for part in parts:
        body.write(zlib.decompress(part))
    return body


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    sync_folder(path.parent)
    return os.fdopen(descriptor, "w+b")


def sync_folder(folder: Path) -> None:
    """Return when the names of new files in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
