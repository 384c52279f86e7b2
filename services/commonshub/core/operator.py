"""Operators' commands of a service: they work on the database directly, whether or not the service runs.

A running service, and every other, hears of the change from the database.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy.exc import OperationalError

from .app import ServiceApplication
from .errors import CommonsError

# What a command returns is printed, at once or as it comes, or is its exit status.
Command = Callable[[Any, argparse.Namespace], str | Iterator[str] | int]


def run_command(application: type[ServiceApplication], parser: argparse.ArgumentParser, argv: Sequence[str]) -> int:
    """Run one command; further options (``--data-dir``, ``--config``, any trait) are those of the service.

    Parameters
    ----------
    parser
        Puts the function of the chosen command into ``run``.

    Returns
    -------
    int
        Exit status: 0 when done, 1 when not, with the reason on standard error; or what the command says.
    """
    arguments, options = parser.parse_known_args(argv)
    run: Command = arguments.run
    app = application()
    app.initialize(options)
    try:
        app.prepare_database()
        found = run(app, arguments)
        if isinstance(found, int):
            return found
        for text in [found] if isinstance(found, str) else found:
            print(text)
    except CommonsError as error:
        print(error, file=sys.stderr)
        return 1
    except OperationalError as error:
        print(f"The database cannot be reached: {str(error.orig).splitlines()[0]}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        app.database.close()
    return 0
