"""Commands of the operator: they work on the database directly, whether or not the service runs.

A running service, and every other, hears of the change from the database.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from commonshub.core.errors import BadRequest, CommonsError
from commonshub.core.identity import Identity

from . import store
from .app import USER_FILE_SOURCE, AuthApp
from .handlers import issue_key
from .importing import import_file
from .names import username
from .userfile import Faulty

ADMINISTRATOR = "administrator"
SOURCE = "cli"


def import_users(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Import a user.yaml, whether or not it has changed."""
    file = Path(arguments.file or app.user_file)
    warnings = import_file(app, file, USER_FILE_SOURCE, always=True)
    return "\n".join([*(f"Warning: {each}" for each in warnings), f"Imported {file}."])


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


def make_key(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Make an API key of a user: Gen3's credentials file, on standard output."""
    app.load_keys()
    operator = Identity()
    name = username(arguments.name)
    longest = app.tokens.api_key_ttl_s
    ttl_s = longest if arguments.ttl is None else arguments.ttl
    if not 0 < ttl_s <= longest:
        raise BadRequest(f"--ttl must be between 1 and {longest} seconds.")
    key, jti = app.database.call(issue_key, app, operator, "cli", name, ttl_s)
    return json.dumps({"api_key": key, "key_id": jti})


NAMES: dict[str, Callable[[AuthApp, argparse.Namespace], str]] = {
    "import": import_users,
    "user": add_user,
    "key": make_key,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="commonshub.auth", description="Users, policies and keys of a commons.")
    commands = parser.add_subparsers(dest="command", required=True)
    importing = commands.add_parser("import", help="import a user.yaml")
    importing.add_argument("file", nargs="?", help="default: user.yaml in the data folder")
    user = commands.add_parser("user", help="make or change a user")
    user.add_argument("name")
    user.add_argument("--admin", action="store_true", help=f"give the policy {ADMINISTRATOR}")
    user.add_argument("--email")
    key = commands.add_parser("key", help="print a new API key of a user as Gen3's credentials JSON")
    key.add_argument("name")
    key.add_argument("--ttl", type=int, help="life in seconds; default and most: TokenSettings.api_key_ttl_s")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command; further options (``--data-dir``, ``--config``, any trait) are those of the service.

    Returns
    -------
    int
        Exit status: 0 when done, 1 when not, with the reason on standard error.
    """
    arguments, options = _parser().parse_known_args(argv)
    app = AuthApp()
    app.initialize(options)
    try:
        app.prepare_database()
        print(NAMES[arguments.command](app, arguments))
    except CommonsError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        app.database.close()
    return 0
