"""Files of ours as objects, in parts where they are large: of any size, and there as a whole or not at all.

S3 takes up to 5 GiB in one request. What is uploaded in parts is an object only when they have been put together;
parts of an upload that nobody ends are kept, and paid for, out of sight of every list of objects.
"""

import html
import re
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from . import listings
from .errors import CommonsError, NotFound, UpstreamError
from .storage import Location, Storage

MAX_PARTS = 10_000
PART_BYTES = 256 * 2**20


def put(storage: Storage, location: Location, file: Path, part_bytes: int = PART_BYTES) -> None:
    """Store a file as an object.

    Parameters
    ----------
    part_bytes
        A larger file is sent in parts of so many bytes, or of more where they would be too many.

    Raises
    ------
    Unavailable
        The store does not answer, or refuses; nothing is left behind then.
    """
    size = file.stat().st_size
    part_bytes = max(part_bytes, -(-size // MAX_PARTS))
    with file.open("rb") as body:
        if size <= part_bytes:
            storage.put(location, body, size)
            return
        upload = begin(storage, location)
        with ExitStack() as unless_whole:
            unless_whole.callback(_clear, storage, location, upload)
            etags = {}
            for number, start in enumerate(range(0, size, part_bytes), 1):
                count = min(part_bytes, size - start)
                named = {"partNumber": str(number), "uploadId": upload}
                etags[number] = storage.put(location, _Piece(body, count), count, **named)
            join(storage, location, upload, etags)
            unless_whole.pop_all()


def begin(storage: Storage, location: Location) -> str:
    """Begin an upload in parts; its identifier."""
    found = re.search(rb"<UploadId>([^<]+)</UploadId>", storage.post(location, uploads=""))
    if found is None:
        raise UpstreamError("The object store began an upload in parts without naming it.")
    return html.unescape(found[1].decode())


def join(storage: Storage, location: Location, upload: str, etags: Mapping[int, str]) -> None:
    """Put the parts of an upload together, by their numbers.

    Raises
    ------
    BadRequest
        The store does not have them like that.
    """
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{html.escape(etags[number])}</ETag></Part>"
        for number in sorted(etags)
    )
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
    storage.post(location, body.encode(), uploadId=upload)


def give_up(storage: Storage, location: Location, upload: str) -> None:
    """End an upload in parts, and delete those that arrived; no error where it has ended."""
    storage.delete(location, uploadId=upload)


def _clear(storage: Storage, location: Location, upload: str) -> None:
    """Give up an upload that something else has broken off, which is what its caller hears of."""
    with suppress(CommonsError):
        give_up(storage, location, upload)


def unended(storage: Storage, bucket: str, prefix: str) -> list[tuple[Location, str]]:
    """The uploads in parts below `prefix` that nobody has ended, with their identifiers; a thousand at most."""
    try:
        text = storage.describe(bucket, {"uploads": "", "prefix": prefix})
    except NotFound:
        # So says rclone as long as there was no upload in parts.
        return []
    return [(Location(bucket, key), upload) for key, upload in listings.uploads(bucket, text)]


class _Piece:
    """The next `size` bytes of a file, to be read like a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, count: int = -1) -> bytes:
        """Up to `count` of them."""
        found = self._file.read(self._left if count < 0 else min(count, self._left))
        self._left -= len(found)
        return found
