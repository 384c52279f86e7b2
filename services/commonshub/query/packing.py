"""Files of Parquet, each written by a process of its own (:mod:`.parquet`): its memory is gone when it ends.

A file is whole, or there is none, since its end tells where everything in it is.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Timer
from typing import IO

import orjson

from commonshub.core.errors import BadRequest, Unavailable

from .formats import blocks, typed
from .streaming import Gone
from .table import Column, Kind, Row

_TYPES: dict[Kind, str] = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}


def write(columns: Sequence[Column], rows: Iterable[Row], folder: Path, gone: Event, most_s: float) -> Path:
    """A file of rows in an empty folder.

    Parameters
    ----------
    gone
        Set from another thread, it ends the work.
    most_s
        Time that all of it may take, in seconds.

    Raises
    ------
    Gone
        Nobody wants the file any more.
    BadRequest
        Two columns have one name to Parquet's readers, or a value has not the type of its column.
    Unavailable
        It took too long.
    """
    _refuse_clash(columns)
    types = [[each.name, _TYPES[each.kind] + ("[]" if each.many else "")] for each in columns]
    (folder / "columns.json").write_bytes(orjson.dumps(types))
    command = [sys.executable, "-P", "-m", "commonshub.query.parquet", str(folder)]
    late = Event()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:

        def stop() -> None:
            late.set()
            process.kill()

        timer = Timer(most_s, stop)
        timer.start()
        try:
            assert process.stdin
            assert process.stderr
            _feed(process.stdin, columns, rows, gone)
            said = process.stderr.read()
            process.wait()
        finally:
            timer.cancel()
            # Nobody waits for one whose rows came to an end before their time.
            process.kill()
    if late.is_set():
        raise Unavailable("The table took too long to be written; narrow the query, or take it as CSV.")
    if process.returncode:
        raise RuntimeError(f"Parquet could not be written: {said.decode(errors='replace')[-2000:]}")
    return folder / "table.parquet"


def _feed(pipe: IO[bytes], columns: Sequence[Column], rows: Iterable[Row], gone: Event) -> None:
    try:
        for block in blocks(typed(columns, rows)):
            if gone.is_set():
                raise Gone
            pipe.write(block)
    except BrokenPipeError:
        # The process has ended, and says itself why.
        pass
    finally:
        # What is left in the buffer has nowhere to go then, either.
        with suppress(BrokenPipeError):
            pipe.close()


def _refuse_clash(columns: Sequence[Column]) -> None:
    known: dict[str, str] = {}
    for each in columns:
        other = known.setdefault(each.name.lower(), each.name)
        if other != each.name:
            raise BadRequest(f"{other} and {each.name} are one column to readers of Parquet; give one an alias.")
