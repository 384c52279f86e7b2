"""``commonshub index convert``: take over the records of an older indexd."""

import argparse
import sys

import sqlalchemy as sa
from tqdm import tqdm

from .. import legacy
from ..app import IndexApp


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The command's options."""
    command.description = (
        "Make records of what an indexd that keeps them in several tables (index_record, index_record_url, …) holds. "
        "Its tables are only read. Records that are here already stay as they are, so that it can be run again at any "
        "time. At the end both are compared."
    )
    command.add_argument(
        "--from", dest="source", metavar="SCHEMA", default="public", help="schema of the old tables (default: public)"
    )
    command.add_argument("--check", action="store_true", help="only compare")
    command.set_defaults(run=run)


def run(app: IndexApp, arguments: argparse.Namespace) -> int:
    """Convert and compare; 1 where something is missing."""
    source = app.database.call(legacy.Source, arguments.source)
    if not arguments.check:
        total = app.database.call(_total, source)
        # tqdm tells by itself whether standard error is a terminal.
        with tqdm(total=total, unit=" records", unit_scale=True, disable=None, desc="convert") as bar:
            for looked_at in legacy.convert(app.database, source, app.schema):
                bar.update(looked_at)
    return _report(app.database.call(legacy.check, source, app.schema))


def _total(connection: sa.Connection, source: legacy.Source) -> int:
    connection.execute(sa.text("set local statement_timeout = 0"))
    return source.count(connection)


def _report(found: legacy.Check) -> int:
    print(f"{found.old} old records, {found.missing} of them missing here, {found.changed} changed since.")
    for column, (old, new) in found.differing.items():
        print(f"{column}: {old} entries in the old tables, {new} here.", file=sys.stderr)
    return 1 if found.missing or found.differing else 0
