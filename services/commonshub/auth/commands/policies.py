"""``commonshub policy …``."""

import argparse
from pathlib import Path
from typing import Any

from ..app import USER_FILE_SOURCE, AuthApp
from ..importing import import_file


def import_users(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Import a user.yaml, whether or not it has changed."""
    file = Path(arguments.file or app.user_file)
    warnings = import_file(app, file, USER_FILE_SOURCE, always=True)
    return "\n".join([*(f"Warning: {each}" for each in warnings), f"Imported {file}."])


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add this group's commands."""
    importing = commands.add_parser("import", help="import a user.yaml")
    importing.add_argument("file", nargs="?", help="default: user.yaml in the data folder")
    importing.set_defaults(run=import_users)
