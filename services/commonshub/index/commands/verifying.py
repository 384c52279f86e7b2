"""``commonshub index verify``: whether records and bytes agree, and what to do where they do not."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial

from tqdm import tqdm

from commonshub.core.buckets import Buckets
from commonshub.core.storage import Storage

from ..app import IndexApp
from ..inspection import Finding, Inspection


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's options."""
    command.description = (
        "Find records whose bytes are missing or have changed, and with --all also objects of the upload bucket that "
        "no record knows of, uploads that have failed, and deletions that a store refuses. Ends with status 1 where "
        "there are any. The stores are asked for sizes; --read reads all bytes and compares the checksums."
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


def run(app: IndexApp, arguments: argparse.Namespace) -> int:
    """Look, and print what is found; 1 where something is."""
    counts: Counter[str] = Counter()
    for finding in _findings(app, arguments):
        counts[finding.kind] += 1
        if arguments.json:
            line = json.dumps({**finding._asdict(), "advice": finding.advice})
        else:
            line = "\t".join((finding.kind, finding.guid or "-", finding.location or "-", finding.reason))
            line = "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in line)
        tqdm.write(line)
    if not arguments.json:
        for kind, count in sorted(counts.items()):
            tqdm.write(f"{count} {kind}: {Finding(kind, '', '', '').advice}.")
        if not counts:
            tqdm.write("Records and bytes agree.")
    return 1 if counts else 0


def _findings(app: IndexApp, arguments: argparse.Namespace) -> Iterator[Finding]:
    Buckets(app.database, app.storage_settings).load()
    inspect = partial(Inspection, app.database, app.schema, Storage(app.storage_settings), arguments.read)
    total = inspect().count() if arguments.all else len(arguments.guids)
    # tqdm tells by itself whether standard error is a terminal.
    with tqdm(total=total, unit=" records", disable=None, desc="records") as bar:
        yield from inspect(bar.update).records(None if arguments.all else arguments.guids)
    if not arguments.all:
        return
    yield from inspect().deletions()
    for bucket in dict.fromkeys((app.storage_settings.upload_bucket, *arguments.bucket)):
        with tqdm(unit=" objects", disable=None, desc=bucket) as bar:
            yield from inspect(bar.update).objects(bucket)
