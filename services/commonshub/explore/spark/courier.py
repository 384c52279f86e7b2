"""What Spark's other machines do: fetch and send Parquet by presigned URLs.

They have no package of ours, so this module is sent to them: it may use Python and pyarrow alone, at the same versions.
They have no keys of the object store either. Each URL does one thing with one object, until it expires.
"""

import hashlib
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pyarrow import RecordBatch

Rows = Iterator["RecordBatch"]

RECEIPT = "part int, size long, digest string"
"""What is told of each part that was sent: its number, and the size and the SHA-256 of its file."""

# Rows of documents may be long.
_ROWS = 1000
_CHUNK_BYTES = 2**20
_TIMEOUT_S = 60.0


def fetching(urls: Sequence[str]) -> Callable[[Rows], Rows]:
    """From numbers of files to the rows of these; a file that breaks off has no end, and no rows then."""

    def fetch(numbers: Rows) -> Rows:
        from pyarrow.parquet import ParquetFile

        for batch in numbers:
            for number in batch.column(0).to_pylist():
                with tempfile.TemporaryFile() as file:
                    _fetch(urls[number], file)
                    yield from ParquetFile(file).iter_batches(_ROWS)

    return fetch


def _fetch(url: str, file: BinaryIO) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - signed by whoever sent us
        while chunk := answer.read(_CHUNK_BYTES):
            file.write(chunk)


def sending(urls: Sequence[str]) -> Callable[[Rows], Rows]:
    """From the rows of a part to its receipt, once they are in the object store; of a part without rows there is none.

    A part that is computed twice is sent twice, to the same place: who has its receipt can tell what is there.
    """

    def send(rows: Rows) -> Rows:
        from pyarrow import RecordBatch
        from pyarrow.parquet import ParquetWriter
        from pyspark import TaskContext

        context = TaskContext.get()
        assert context is not None
        number, first = context.partitionId(), next(rows, None)
        if first is None:
            return
        with tempfile.TemporaryFile() as file:
            with ParquetWriter(file, first.schema, compression="zstd") as writer:
                writer.write_batch(first)
                for batch in rows:
                    writer.write_batch(batch)
            size = file.tell()
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            _send(urls[number], file, size)
        yield RecordBatch.from_pylist([{"part": number, "size": size, "digest": digest}], _receipt())

    return send


def _receipt() -> "object":
    import pyarrow

    return pyarrow.schema([("part", pyarrow.int32()), ("size", pyarrow.int64()), ("digest", pyarrow.string())])


def _send(url: str, file: BinaryIO, size: int) -> None:
    # As a whole or not at all: the store knows how many bytes to wait for.
    headers = {"Content-Length": str(size), "Content-Type": "application/vnd.apache.parquet"}
    request = urllib.request.Request(url, file, headers, method="PUT")  # noqa: S310 - signed by whoever sent us
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
        pass
