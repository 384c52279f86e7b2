"""``drs://`` as an fsspec filesystem: ``pandas.read_csv("drs://<guid>")``, ``fsspec.open("drs://…")``.

Read-only and flat: a data object is a file, there are no folders. Bytes come from the object store by HTTP Range, in
blocks that fsspec caches. Presigned URLs are renewed when they expire; they are never part of a path.
"""

from typing import Any, ClassVar

import httpx
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from .commons import Commons
from .download import range_begin
from .errors import NotFound, TransferFailed
from .objects import DataObject
from .session import Session

ATTEMPTS = 4


class DrsFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """Data objects of a commons as files.

    Parameters
    ----------
    commons
        The commons to ask; by default the one that ``Commons()`` finds, at first use.
    origin
        Address of the commons, where there are several.
    """

    protocol: ClassVar[str] = "drs"
    root_marker = ""

    def __init__(self, commons: Commons | None = None, origin: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._commons = commons
        self._origin = origin

    @property
    def commons(self) -> Commons:
        """The commons that is asked."""
        if self._commons is None:
            self._commons = Commons(self._origin)
        return self._commons

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return str(path).removeprefix("drs://").rstrip("/")

    def _object(self, path: str) -> DataObject:
        try:
            return self.commons.resolve(f"drs://{path}")
        except NotFound as error:
            raise FileNotFoundError(str(error)) from error

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """What is on record about an object."""
        path = self._strip_protocol(path)
        found = self._object(path)
        return {
            "name": path,
            "type": "file",
            "size": found.size,
            "file_name": found.name,
            "guid": found.guid,
            "hashes": dict(found.hashes),
        }

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """The object itself; there are no folders to list."""
        found = self.info(path)
        return [found] if detail else [found["name"]]

    def checksum(self, path: str) -> str:
        """The strongest checksum on record."""
        return str(self._object(self._strip_protocol(path)).checksum or "")

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """The bytes of an object, or a range of them as in a slice."""
        found = self._object(self._strip_protocol(path))
        size = _known_size(found)
        low, high, _step = slice(start, end).indices(size)
        return Reader(self.commons.session, found).read(low, high)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | str | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> "DrsFile":
        if mode != "rb":
            raise TransferFailed("drs:// is read-only; send files with Commons.upload().")
        found = self._object(path)
        return DrsFile(
            self, path, found, mode, block_size or "default", autocommit, cache_options=cache_options, **options
        )


class DrsFile(AbstractBufferedFile):  # type: ignore[misc]
    """An object opened for reading."""

    def __init__(self, fs: DrsFileSystem, path: str, found: DataObject, *args: Any, **options: Any) -> None:
        self._reader = Reader(fs.commons.session, found)
        options["size"] = _known_size(found)
        super().__init__(fs, path, *args, **options)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self._reader.read(start, end)


class Reader:
    """Ranges of one object's bytes."""

    def __init__(self, session: Session, found: DataObject) -> None:
        self._session = session
        self._object = found
        self._url: str | None = None

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to, not including, `end`.

        Raises
        ------
        TransferFailed
            The storage does not deliver them.
        """
        if end <= start:
            return b""
        reason = ""
        for _attempt in range(ATTEMPTS):
            if self._url is None:
                self._url = self._session.download_url(self._object.guid)
            try:
                answer = self._session.storage.get(self._url, headers={"Range": f"bytes={start}-{end - 1}"})
            except httpx.TransportError as error:
                reason = type(error).__name__
                continue
            content, begin = answer.content, range_begin(answer)
            if answer.is_success and begin is not None and begin <= start and begin + len(content) >= end:
                return content[start - begin : end - begin]
            reason = f"the storage answered {answer.status_code} with {len(content)} bytes"
            self._url = None
        raise TransferFailed(f"{self._object.guid} cannot be read: {reason}. Try again in a minute.")


def _known_size(found: DataObject) -> int:
    if found.size is None:
        raise TransferFailed(
            f"{found.guid} has not been verified by the commons yet, so its size is unknown. Try later."
        )
    return found.size
