"""``commonshub key …``."""

import argparse
import json
from typing import Any

from commonshub.core.errors import BadRequest
from commonshub.core.identity import Identity

from ..app import AuthApp
from ..credentials.issue import issue_key
from ..names import username


def create_key(app: AuthApp, arguments: argparse.Namespace) -> str:
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


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add this group's commands."""
    create = commands.add_parser("create", help="print a new API key of a user as Gen3's credentials JSON")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--ttl", type=int, help="life in seconds; default and most: TokenSettings.api_key_ttl_s")
    create.set_defaults(run=create_key)
