"""Tables that are sent in several requests, and kept in files until they are submitted.

An upload is two files: what was sent so far, whose size is its offset, and beside it a note of what it is to become.
It belongs to the user who began it and to one project, and goes when nothing has come for a while.
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from ..core.errors import CommonsError, Conflict, NotFound, TooManyRequests
from ..core.files import write_whole
from .body import sync_folder

_NOTE = ".upload"


class Locked(CommonsError):
    """Another request writes to the upload."""

    status = 423
    code = "locked"


@dataclass(frozen=True)
class Upload:
    """What an upload is to become.

    Parameters
    ----------
    length
        Bytes that it has in the end.
    """

    id: str
    owner: str | None
    program: str
    code: str
    length: int
    content_type: str
    name: str | None = None


class Uploads:
    """The uploads in one folder.

    Parameters
    ----------
    expiry_s
        Time without a new byte after which an upload goes, in seconds.
    most
        Uploads that one user may have at a time.
    """

    def __init__(self, folder: Path, expiry_s: float, most: int) -> None:
        self.folder = folder
        self.expiry_s = expiry_s
        self.most = most

    def create(
        self, owner: str | None, program: str, code: str, length: int, content_type: str, name: str | None
    ) -> Upload:
        """Begin an upload.

        Raises
        ------
        TooManyRequests
            The user has too many.
        """
        if sum(each.owner == owner for each in self._all()) >= self.most:
            raise TooManyRequests(f"You have {self.most} uploads already; submit or delete one.", self.expiry_s)
        upload = Upload(uuid.uuid4().hex, owner, program, code, length, content_type, name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.folder / upload.id, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        write_whole(self.folder / f"{upload.id}{_NOTE}", orjson.dumps(asdict(upload)).decode())
        sync_folder(self.folder)
        return upload

    def find(self, id_: str, owner: str | None, program: str, code: str) -> Upload:
        """An upload of a user to a project.

        Raises
        ------
        NotFound
            He has none by that id.
        """
        upload = self._read(self.folder / f"{id_}{_NOTE}") if len(id_) == 32 and id_.isalnum() else None
        if upload is None or (upload.owner, upload.program, upload.code) != (owner, program, code):
            raise NotFound(f"There is no upload {id_[:40]!r} of yours to this project; it may have expired.")
        return upload

    def offset(self, upload: Upload) -> int:
        """Bytes that have come."""
        return (self.folder / upload.id).stat().st_size

    def expires(self, upload: Upload) -> float:
        """When it goes, unless something comes, in seconds since 1970."""
        return (self.folder / upload.id).stat().st_mtime + self.expiry_s

    def open(self, upload: Upload, offset: int) -> BinaryIO:
        """The file, to be written from `offset` on by nobody else.

        Raises
        ------
        Conflict
            It does not end there.
        Locked
            Somebody else writes to it.
        """
        file = (self.folder / upload.id).open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if file.tell() != offset:
                raise Conflict(f"The upload is at offset {file.tell()}, not {offset}.")
        except BlockingIOError as error:
            file.close()
            raise Locked("Another request writes to this upload.") from error
        except Conflict:
            file.close()
            raise
        return file

    def delete(self, upload: Upload) -> None:
        """Forget an upload."""
        (self.folder / f"{upload.id}{_NOTE}").unlink(missing_ok=True)
        (self.folder / upload.id).unlink(missing_ok=True)

    def take(self, upload: Upload) -> Path:
        """A file of its own with what was uploaded, which is there until it is deleted.

        Raises
        ------
        Conflict
            Something is missing yet.
        """
        offset = self.offset(upload)
        if offset != upload.length:
            raise Conflict(f"The upload has {offset} bytes of {upload.length}; send the others first.")
        path = self.folder / uuid.uuid4().hex
        os.link(self.folder / upload.id, path)
        sync_folder(self.folder)
        return path

    def tidy(self, needed: set[str]) -> None:
        """Forget what has expired, and bodies that are not `needed` and that nobody has touched for as long."""
        now = time.time()
        for path in self.folder.glob("*"):
            try:
                body = path.with_suffix("")
                touched = max(each.stat().st_mtime for each in (path, body) if each.exists())
            except (FileNotFoundError, ValueError):
                continue
            if body.name not in needed and touched + self.expiry_s < now:
                path.unlink(missing_ok=True)

    def _all(self) -> Iterator[Upload]:
        for path in self.folder.glob(f"*{_NOTE}"):
            if (upload := self._read(path)) is not None:
                yield upload

    def _read(self, path: Path) -> Upload | None:
        try:
            upload = Upload(**orjson.loads(path.read_bytes()))
            return upload if self.expires(upload) > time.time() else None
        except FileNotFoundError:
            return None
