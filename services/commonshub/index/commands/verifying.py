"""``commonshub index verify``: whether records and bytes agree, and what to do where they do not."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

from tqdm import tqdm

from commonshub.core.buckets import Buckets
from commonshub.core.errors import CommonsError, NotFound
from commonshub.core.storage import Storage

from ..app import IndexApp
from ..inspection import Finding, Inspection


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's options."""
    command.description = (
        "Find records whose bytes are missing or have changed, and with --all also objects of the upload bucket that "
        "no record knows of, uploads that have failed, and deletions that a store refuses. Ends with status 1 where "
        "there are any, and says what to do. The stores are asked for sizes; --read reads all bytes and compares the "
        "checksums."
    )
    subjects = command.add_mutually_exclusive_group(required=True)
    subjects.add_argument("guids", metavar="GUID", nargs="*", default=[], help="only these records")
    subjects.add_argument("--all", action="store_true", help="all records, and all objects")
    command.add_argument("--read", action="store_true", help="compare checksums")
    command.add_argument(
        "--bucket", action="append", default=[], metavar="NAME", help="with --all: list the objects of this bucket too"
    )
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.set_defaults(run=run)


class Counts:
    """What was looked at, and what was found."""

    def __init__(self) -> None:
        self.records = self.objects = self.skipped = 0
        self.found: Counter[str] = Counter()

    def skip(self, count: int) -> None:
        """Locations that nobody looked at."""
        self.skipped += count

    def lines(self) -> Iterator[str]:
        """What there is to say at the end."""
        for kind, count in sorted(self.found.items()):
            yield f"{count} {kind}: {Finding(kind, '', '', '').advice}."
        objects = f" and {_many(self.objects, 'object')}" if self.objects else ""
        yield f"Looked at {_many(self.records, 'record')}{objects}."
        if self.skipped:
            yield f"Left alone, as outside the buckets of this commons: {_many(self.skipped, 'location')}."
        if not self.found:
            yield "Records and bytes agree."


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def run(app: IndexApp, arguments: argparse.Namespace) -> int:
    """Look, and print what is found; 1 where something is."""
    counts = Counts()
    try:
        for finding in _findings(app, arguments, counts):
            counts.found[finding.kind] += 1
            tqdm.write(_line(finding, json_wanted=arguments.json))
    except CommonsError:
        # What was found so far is as true.
        if counts.found and not arguments.json:
            tqdm.write("\n".join(counts.lines()))
        raise
    if not arguments.json:
        tqdm.write("\n".join(counts.lines()))
    return 1 if counts.found else 0


def _line(finding: Finding, *, json_wanted: bool) -> str:
    if json_wanted:
        return json.dumps({**finding._asdict(), "advice": finding.advice})
    line = "\t".join((finding.kind, finding.guid or "-", finding.location or "-", finding.reason))
    return "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in line)


def _findings(app: IndexApp, arguments: argparse.Namespace, counts: Counts) -> Iterator[Finding]:
    Buckets(app.database, app.storage_settings).load()
    storage = Storage(app.storage_settings)
    if unknown := [name for name in arguments.bucket if name not in storage.buckets]:
        raise NotFound(f"This commons has no bucket {unknown[0]!r}; it has {', '.join(sorted(storage.buckets))}.")
    inspect = partial(Inspection, app.database, app.schema, storage, arguments.read)
    total = inspect().count() if arguments.all else len(arguments.guids)
    # tqdm tells by itself whether standard error is a terminal.
    with tqdm(total=total, unit=" records", disable=None, desc="records") as bar:

        def tell_records(count: int) -> None:
            counts.records += count
            bar.update(count)

        yield from inspect(tell_records, counts.skip).records(None if arguments.all else arguments.guids)
    if not arguments.all:
        return
    yield from inspect().deletions()
    for bucket in dict.fromkeys((app.storage_settings.upload_bucket, *arguments.bucket)):
        with tqdm(unit=" objects", disable=None, desc=bucket) as listed:

            def tell_objects(count: int, listed: "tqdm[Any]" = listed) -> None:
                counts.objects += count
                listed.update(count)

            yield from inspect(tell_objects).objects(bucket)
