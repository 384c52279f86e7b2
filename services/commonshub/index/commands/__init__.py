"""Commands of the operator: they work on the database directly, whether or not the service runs.

Each module of this package is one command, or one group of them: a command is a function of the application and its
arguments that returns the exit status.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from commonshub.core.errors import CommonsError

from ..app import IndexApp
from . import buckets, converting, exporting, importing, verifying

Command = Callable[[IndexApp, argparse.Namespace], int]

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
    """Run one command; further options (``--data-dir``, ``--config``, any trait) are those of the service.

    Returns
    -------
    int
        Exit status: 0 when done, 1 when not, with the reason on standard error.
    """
    arguments, options = parser().parse_known_args(argv)
    run: Command = arguments.run
    app = IndexApp()
    app.initialize(options)
    try:
        # A database that does not answer is told of in one line.
        app.database.call(lambda connection: None)
        app.prepare_database()
        return run(app, arguments)
    except CommonsError as error:
        print(error.message, file=sys.stderr)
        return 1
    finally:
        app.database.close()
