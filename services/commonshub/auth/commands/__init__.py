"""Commands of the operator. Each module of this package adds one group of commands to the command line; a command is a
function of the application and its arguments that returns what is printed, or the lines of it as they come.
"""

import argparse
from collections.abc import Sequence

from commonshub.core.operator import run_command

from ..app import AuthApp
from . import clients, keys, policies, trail, users

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
    """Run one command; its exit status, see :func:`~commonshub.core.operator.run_command`."""
    return run_command(AuthApp, parser(), argv)
