"""What bytes are: size and checksums of a stream that is read once, a chunk at a time."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator

import google_crc32c

from commonshub.core.errors import CommonsError, Conflict, NotFound, Unavailable
from commonshub.core.storage import Location, Storage

from .ledger import Measurement

# The names of the hashes in a record. Gen3's ``crc`` is CRC-32C (Castagnoli's polynomial) in eight hexadecimal digits.
KINDS = ("md5", "sha256", "crc")


class Stopped(CommonsError):
    """Nobody wants the measurement any more."""


def measure(
    chunks: Iterable[bytes], stopping: threading.Event, tell: Callable[[int], None] = lambda done: None
) -> Measurement:
    """Size and checksums of a stream that is read once.

    Parameters
    ----------
    tell
        Called with the number of bytes that are done, after each chunk.

    Raises
    ------
    Stopped
        `stopping` was set before the end.
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size = crc = 0
    for chunk in chunks:
        if stopping.is_set():
            raise Stopped("Reading was stopped.")
        size += len(chunk)
        md5.update(chunk)
        sha256.update(chunk)
        crc = google_crc32c.extend(crc, chunk)
        tell(size)
    return Measurement(size, dict(zip(KINDS, (md5.hexdigest(), sha256.hexdigest(), f"{crc:08x}"), strict=True)))


def read(
    storage: Storage,
    location: Location,
    chunk_bytes: int,
    stopping: threading.Event,
    tell: Callable[[int], None] = lambda done: None,
) -> Measurement:
    """Measure an object, and make sure that it stayed what it was.

    Raises
    ------
    NotFound
        There is no object.
    Conflict
        It changed while it was read.
    Unavailable
        The store does not answer.
    """
    before = storage.head(location)
    if before is None:
        raise NotFound(f"There is no object at {location}.")

    def chunks() -> Iterator[bytes]:
        # A connection that breaks after hours goes on from there.
        done = start = 0
        while True:
            try:
                for chunk in storage.stream(location, chunk_bytes, start):
                    done += len(chunk)
                    yield chunk
                return
            except Unavailable:
                if done == start or storage.head(location) != before:
                    raise
                start = done

    found = measure(chunks(), stopping, tell)
    if before != storage.head(location) or before.size != found.size:
        raise Conflict(f"{location} changed while it was read.")
    return found._replace(stamp=before.stamp)
