"""``commonshub user …``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ..app import USER_FILE_SOURCE, AuthApp
from ..importing import import_file
from ..names import username
from ..userfile import Faulty
from ..users import store

ADMINISTRATOR = "administrator"
SOURCE = "cli"


def add_user(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Make a user, or change one."""
    try:
        import_file(app, Path(app.user_file), USER_FILE_SOURCE)
    except Faulty as error:
        # A fault in the file must not keep the operator from making the administrator who mends it.
        print(f"{app.user_file} was not imported. {error}", file=sys.stderr)
    name = username(arguments.name)
    user = app.database.call(store.put_user, app.schema, name, SOURCE, arguments.email)
    if arguments.admin:
        app.database.call(store.bind_policy, app.schema, user, ADMINISTRATOR, SOURCE)
        return f"{name} is a user and an administrator of this commons."
    return f"{name} is a user of this commons."


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add this group's commands."""
    add = commands.add_parser("add", help="make or change a user")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--admin", action="store_true", help=f"give the policy {ADMINISTRATOR}")
    add.add_argument("--email")
    add.set_defaults(run=add_user)
