"""``commonshub index export``: all records as a manifest, as they were at one moment."""

import argparse
import contextlib
import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from tqdm import tqdm

from commonshub.core import records
from commonshub.core.errors import BadRequest

from .. import manifest
from ..app import IndexApp

BATCH_ROWS = 1000


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's options."""
    command.description = (
        "Write all records that have a size and hashes as a manifest in the format of Gen3's SDK, which "
        "`commonshub index import` reads: CSV, or TSV where the file's name ends in .tsv."
    )
    command.add_argument("file", metavar="FILE", nargs="?", default="-", help="default: standard output")
    command.add_argument("--tsv", action="store_true", help="TSV whatever the file's name is")
    command.set_defaults(run=run)


def run(app: IndexApp, arguments: argparse.Namespace) -> int:
    """Export all records."""
    tabs = arguments.tsv or arguments.file.lower().endswith(".tsv")
    try:
        with _written(arguments.file) as target:
            count = app.database.call(write, app.schema, target, "\t" if tabs else ",")
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    print(f"{count} records", file=sys.stderr)
    return 0


@contextlib.contextmanager
def _written(name: str) -> Iterator[IO[str]]:
    """A file that appears under its name once it is whole."""
    if name == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    part = Path(f"{name}.part")
    try:
        file = part.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise BadRequest(f"{part} cannot be written: {error.strerror}.") from error
    try:
        with file:
            yield file
        part.replace(name)
    finally:
        part.unlink(missing_ok=True)


def write(connection: sa.Connection, schema: str, target: IO[str], delimiter: str) -> int:
    """Write all records that are not blank, in order of GUID; how many there were."""
    table = records.tables(schema).record
    whole = table.c.size.is_not(None)
    total = connection.execute(sa.select(sa.func.count()).select_from(table).where(whole)).scalar_one()
    writer = csv.writer(target, delimiter=delimiter, lineterminator="\n")
    writer.writerow(manifest.EXPORTED)
    # A cursor of the database: neither side holds more than a batch.
    streamed = connection.execution_options(yield_per=BATCH_ROWS)
    every = sa.select(*records.columns(table)).where(whole).order_by(table.c.guid)
    count = 0
    with tqdm(total=total, unit=" records", unit_scale=True, disable=None, desc="export") as bar:
        for rows in streamed.execute(every).partitions():
            writer.writerows(manifest.cells(records.of_row(row)) for row in rows)
            count += len(rows)
            bar.update(len(rows))
    return count
