"""Commands of the operator: they work on the database directly, whether or not the service runs.

A running service, and every other, hears of the change from the database. Each module of this package adds one group of
commands to the command line; a command is a function of the application and its arguments that returns what is printed,
or the lines of it as they come.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy.exc import OperationalError

from commonshub.core.errors import CommonsError

from ..app import AuthApp
from . import clients, keys, policies, trail, users

Command = Callable[[AuthApp, argparse.Namespace], str | Iterator[str]]

# What is a command itself, without commands of its own.
SINGLE = {"audit": trail.add_arguments}
GROUPS = {
    "user": users.add_commands,
    "client": clients.add_commands,
    "key": keys.add_commands,
    "policy": policies.add_commands,
}


def parser() -> argparse.ArgumentParser:
    """The command line; each command's function is in ``run``."""
    root = argparse.ArgumentParser(prog="commonshub", description="Users, policies and keys of a commons.")
    groups = root.add_subparsers(metavar="GROUP", required=True)
    for name, add_arguments in SINGLE.items():
        add_arguments(groups.add_parser(name))
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
        found = run(app, arguments)
        for text in [found] if isinstance(found, str) else found:
            print(text)
    except CommonsError as error:
        print(error, file=sys.stderr)
        return 1
    except OperationalError as error:
        print(f"The database cannot be reached: {error.orig}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        app.database.close()
    return 0
