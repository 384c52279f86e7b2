"""``commonshub index import``: create the records of a manifest.

The file is read as a stream, and each batch of rows is one transaction. What a killed import has stored stays; run it
again, and the rows that are there already are skipped.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import sqlalchemy as sa
from tqdm import tqdm

from commonshub.core import records
from commonshub.core.errors import NotFound, ValidationFailed
from commonshub.core.records import Draft, Record

from .. import manifest, validate, writes
from ..app import IndexApp
from ..manifest import Row

BATCH_ROWS = 1000
CREATED, PRESENT, FAULTY = "created", "present", "faulty"
# PostgreSQL's name for the temporary tables of a connection.
REHEARSAL = "pg_temp"


class Entry(NamedTuple):
    """A sound row, and the record that it asks for."""

    row: Row
    draft: Draft


class Outcome(NamedTuple):
    """What became of a row; the fault where it is faulty."""

    line: int
    state: str
    fault: str = ""


Settle = Callable[[Sequence[Entry]], list[Outcome]]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's options."""
    command.description = (
        "Create the records of a manifest in the format of Gen3's SDK (CSV or TSV). Rows whose record is there "
        "already are skipped; rows that are faulty, or whose record is there and differs, are named."
    )
    command.add_argument("file", metavar="FILE", help="the manifest; - for standard input")
    command.add_argument("--dry-run", action="store_true", help="say what would happen, and store nothing")
    command.add_argument("--errors", metavar="FILE", help="write faults there, not to standard error")
    command.set_defaults(run=run)


def run(app: IndexApp, arguments: argparse.Namespace) -> int:
    """Import a manifest; 1 where rows were faulty."""
    counts: Counter[str] = Counter()
    with _source(arguments.file) as source, _faults(arguments.errors) as faults:
        size = Path(arguments.file).stat().st_size if arguments.file != "-" else None
        # tqdm tells by itself whether standard error is a terminal.
        with tqdm(total=size, unit="B", unit_scale=True, disable=None, desc="import") as bar:
            for outcome in outcomes(app, _noted(source, bar), dry_run=arguments.dry_run):
                counts[outcome.state] += 1
                if outcome.fault:
                    bar.write(f"line {outcome.line}: {outcome.fault}", file=faults)
    would = "would be created" if arguments.dry_run else "created"
    print(f"{counts[CREATED]} {would}, {counts[PRESENT]} there already, {counts[FAULTY]} faulty")
    return 1 if counts[FAULTY] else 0


def _source(name: str) -> AbstractContextManager[IO[bytes]]:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise NotFound(f"{name} cannot be read: {error.strerror}.") from error


def _faults(name: str | None) -> AbstractContextManager[IO[str]]:
    if name is None:
        return nullcontext(sys.stderr)
    try:
        return Path(name).open("w", encoding="utf-8")
    except OSError as error:
        raise NotFound(f"{name} cannot be written: {error.strerror}.") from error


def _noted(source: Iterable[bytes], bar: Any) -> Iterator[bytes]:
    for line in source:
        bar.update(len(line))
        yield line


def outcomes(app: IndexApp, content: Iterable[bytes], *, dry_run: bool) -> Iterator[Outcome]:
    """What becomes of each row of a manifest.

    Raises
    ------
    ValidationFailed
        The file is no manifest, or cannot be read on as one; the rows before that are done.
    """
    rows = manifest.table(manifest.lines(content))
    header = manifest.Header(next(rows)[1])
    if header.ignored:
        print(f"These columns are ignored: {', '.join(header.ignored)}.", file=sys.stderr)
    with _rehearsal(app) if dry_run else nullcontext(partial(_store, app)) as settle:
        for item in _batches(header, rows):
            if isinstance(item, Outcome):
                yield item
            else:
                yield from settle(item)


def _store(app: IndexApp, batch: Sequence[Entry]) -> list[Outcome]:
    return app.database.call(_settle, app.schema, app.commons.guid_prefix, batch)


def _batches(header: manifest.Header, rows: Iterable[tuple[int, Sequence[str]]]) -> Iterator[Outcome | list[Entry]]:
    """The sound rows in batches, and what is to be said of the others."""
    batch: list[Entry] = []
    named: set[object] = set()
    for line, cells in rows:
        try:
            row = header.row(line, cells)
            entry = Entry(row, validate.draft(row.body))
        except ValidationFailed as error:
            yield Outcome(line, FAULTY, error.message)
            continue
        # A row that leans on an earlier one, or may repeat it, comes after it.
        name = entry.draft.did or repr(entry.draft)
        if len(batch) == BATCH_ROWS or not named.isdisjoint((name, row.previous)):
            yield batch
            batch, named = [], set()
        batch.append(entry)
        named.add(name)
    yield batch


@contextmanager
def _rehearsal(app: IndexApp) -> Iterator[Settle]:
    """Settle batches into a temporary table, so that rows which lean on earlier ones find them."""
    with app.database.engine.begin() as connection:
        table = connection.dialect.identifier_preparer.format_table(records.tables(app.schema).record)
        for statement in (
            f"create temporary table record (like {table}) on commit drop",
            f"create unique index on {REHEARSAL}.record (guid)",
            f"create index on {REHEARSAL}.record using gin (hashes jsonb_path_ops)",
        ):
            connection.execute(sa.text(statement))
        yield partial(_settle, connection, REHEARSAL, app.commons.guid_prefix, beside=app.schema)


def _settle(
    connection: sa.Connection, schema: str, prefix: str, batch: Sequence[Entry], beside: str | None = None
) -> list[Outcome]:
    """Store the records of a batch that are not there; what became of each row, in order.

    Parameters
    ----------
    beside
        Another schema whose records are there, too.
    """
    named = [name for entry in batch for name in (entry.draft.did, entry.row.previous) if name]
    held: dict[str, Record] = {}
    unnamed = [entry for entry in batch if not entry.draft.did]
    present: set[int] = set()
    for each in filter(None, (schema, beside)):
        held |= records.get_many(connection, each, named)
        known = writes.alike(connection, each, [entry.draft for entry in unnamed])
        present.update(unnamed[place].row.line for place in known)
    done, missing = [], []
    for entry in batch:
        line, previous, _ = entry.row
        if entry.draft.did in held:
            done.append(_compared(entry, held[entry.draft.did]))
        elif line in present:
            done.append(Outcome(line, PRESENT))
        elif previous and previous not in held:
            done.append(Outcome(line, FAULTY, f"there is no record {previous} that this could be a version of"))
        else:
            missing.append(entry._replace(draft=_version(entry.draft, held[previous])) if previous else entry)
    if missing:
        done += _create(connection, schema, missing, prefix)
    return sorted(done)


def _version(draft: Draft, earlier: Record) -> Draft:
    return replace(draft, baseid=earlier.baseid)


def _create(connection: sa.Connection, schema: str, entries: Sequence[Entry], prefix: str) -> list[Outcome]:
    made = records.create_free(connection, schema, [entry.draft for entry in entries], prefix=prefix)
    late = [entry for entry, record in zip(entries, made, strict=True) if record is None]
    # Somebody else has created these since they were looked for.
    held = records.get_many(connection, schema, [entry.draft.did for entry in late if entry.draft.did]) if late else {}
    return [
        Outcome(entry.row.line, CREATED) if record else _compared(entry, held[entry.draft.did or ""])
        for entry, record in zip(entries, made, strict=True)
    ]


def _compared(entry: Entry, record: Record) -> Outcome:
    differing = manifest.differences(record, entry.row.body)
    if not differing:
        return Outcome(entry.row.line, PRESENT)
    fault = f"the record {record.did} is there already and has another {', another '.join(differing)}"
    return Outcome(entry.row.line, FAULTY, fault)
