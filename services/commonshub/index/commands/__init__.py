"""Commands of the operator. Each module of this package is one command, or one group of them: a command is a function
of the application and its arguments that returns the exit status.
"""

import argparse
from collections.abc import Sequence

from commonshub.core.operator import run_command

from ..app import IndexApp
from . import buckets, converting, exporting, importing, verifying

COMMANDS = {
    "import": importing.add_arguments,
    "export": exporting.add_arguments,
    "verify": verifying.add_arguments,
    "bucket": buckets.add_arguments,
    "convert": converting.add_arguments,
}


def parser() -> argparse.ArgumentParser:
    """The command line; each command's function is in ``run``."""
    root = argparse.ArgumentParser(prog="commonshub index", description="Records of data objects.")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    for name, add_arguments in COMMANDS.items():
        add_arguments(commands.add_parser(name))
    return root


def main(argv: Sequence[str]) -> int:
    """Run one command; its exit status, see :func:`~commonshub.core.operator.run_command`."""
    return run_command(IndexApp, parser(), argv)
