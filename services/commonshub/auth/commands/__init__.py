"""Commands of the operator: they work on the database directly, whether or not the service runs.

A running service, and every other, hears of the change from the database. Each module of this package adds one group of
commands to the command line; a command is a function of the application and its arguments that returns what is printed.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from commonshub.core.errors import CommonsError

from ..app import AuthApp
from . import keys, policies, users

Command = Callable[[AuthApp, argparse.Namespace], str]

GROUPS = {"user": users.add_commands, "key": keys.add_commands, "policy": policies.add_commands}


def parser() -> argparse.ArgumentParser:
    """The command line; each command's function is in ``run``."""
    root = argparse.ArgumentParser(prog="commonshub", description="Users, policies and keys of a commons.")
    groups = root.add_subparsers(metavar="GROUP", required=True)
    for name, add_commands in GROUPS.items():
        add_commands(groups.add_parser(name).add_subparsers(metavar="COMMAND", required=True))
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
    app = AuthApp()
    app.initialize(options)
    try:
        app.prepare_database()
        print(run(app, arguments))
    except CommonsError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        app.database.close()
    return 0
