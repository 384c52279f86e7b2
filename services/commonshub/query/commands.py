"""``commonshub query …``: the operator's commands on graph queries, whether or not the service runs."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from ..core import versions
from ..core.dictionary import Dictionary
from ..core.errors import Conflict
from ..core.operator import run_command
from . import indexes
from .app import QueryApp


def parser() -> argparse.ArgumentParser:
    """The command line; each command's function is in ``run``."""
    root = argparse.ArgumentParser(prog="commonshub query", description="Graph queries.")
    groups = root.add_subparsers(metavar="GROUP", required=True)
    commands = groups.add_parser(
        "index", description="Indexes that make ranges and orders of one property fast on large tables."
    ).add_subparsers(metavar="COMMAND", required=True)
    for command, run, told in (
        ("add", add, "build the index on a property, while the commons goes on"),
        ("drop", drop, "drop the index on a property"),
    ):
        each = commands.add_parser(command, help=told, description=f"{told[0].upper()}{told[1:]}.")
        each.add_argument("node", metavar="NODE", help="node type")
        each.add_argument("property", metavar="PROPERTY", help="one of its properties, a text or a number")
        each.set_defaults(run=run)
    listing = commands.add_parser("list", help="list these indexes", description="List these indexes.")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(run=show)
    return root


def main(argv: Sequence[str]) -> int:
    """Run one command; its exit status, see :func:`~commonshub.core.operator.run_command`."""
    return run_command(QueryApp, parser(), argv)


def add(app: QueryApp, arguments: argparse.Namespace) -> Iterator[str]:
    """Build an index."""
    yield f"Building the index on {arguments.node}.{arguments.property}; a large table takes minutes …"
    schema = app.database.settings.graph_schema
    made = indexes.add(app.database.engine, schema, _dictionary(app), arguments.node, arguments.property)
    yield f"The index {made} is in use."


def drop(app: QueryApp, arguments: argparse.Namespace) -> str:
    """Drop an index."""
    schema = app.database.settings.graph_schema
    return f"Dropped {indexes.drop(app.database.engine, schema, arguments.node, arguments.property)}."


def show(app: QueryApp, arguments: argparse.Namespace) -> Iterator[str]:
    """List the indexes."""
    found = app.database.call(indexes.listed, app.database.settings.graph_schema, _dictionary(app))
    if arguments.json:
        yield json.dumps([asdict(each) for each in found])
        return
    for each in found:
        of = " ".join(each.of) if each.of else f"({each.name}: of no use with this dictionary)"
        yield f"{of}  {each.bytes / 2**20:.1f} MiB{'' if each.valid else '  not in use: add it anew'}"


def _dictionary(app: QueryApp) -> Dictionary:
    schema = app.database.settings.graph_schema
    row = app.database.call(versions.newest, schema)
    if row is None:
        raise Conflict(
            "There is no dictionary in force yet: the first start of the commons applies the configured one."
        )
    return app.database.call(versions.load, schema, row.number).dictionary
