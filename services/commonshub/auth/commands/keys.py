"""``commonshub key …``."""

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from commonshub.core import audit
from commonshub.core.errors import BadRequest

from ..app import AuthApp
from ..credentials import store
from ..credentials.issue import issue_key
from ..names import username
from ..users.store import get_user
from .operator import OPERATOR, REQUEST_ID

if TYPE_CHECKING:
    import sqlalchemy as sa


def create_key(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Make an API key of a user: Gen3's credentials file, on standard output."""
    app.load_keys()
    name = username(arguments.name)
    longest = app.tokens.api_key_ttl_s
    ttl_s = longest if arguments.ttl is None else arguments.ttl
    if not 0 < ttl_s <= longest:
        raise BadRequest(f"--ttl must be between 1 and {longest} seconds.")
    key, jti = app.database.call(issue_key, app, OPERATOR, REQUEST_ID, name, ttl_s)
    return json.dumps({"api_key": key, "key_id": jti})


def list_keys(app: AuthApp, arguments: argparse.Namespace) -> str:
    """The unexpired API keys of a user, one a line: identifier, end, and whether it is a workspace's."""
    name = username(arguments.name)

    def listed(connection: "sa.Connection") -> list[store.KeyRow]:
        get_user(connection, app.schema, name)
        return store.list_keys(connection, app.schema, name)

    return "\n".join(
        f"{key.jti}  until {datetime.fromtimestamp(key.exp, UTC):%Y-%m-%d %H:%M} UTC{'  workspace' * key.workspace}"
        for key in app.database.call(listed)
    )


def revoke_key(app: AuthApp, arguments: argparse.Namespace) -> str:
    """End an API key: every service refuses within moments what came from it."""

    def revoke(connection: "sa.Connection") -> None:
        store.revoke_key(connection, app.schema, arguments.jti)
        audit.write(
            connection,
            app.schema,
            OPERATOR,
            REQUEST_ID,
            action="revoke_key",
            subject=arguments.jti,
            decision="allowed",
        )

    app.database.call(revoke)
    return f"The key {arguments.jti} is revoked."


def rotate_keys(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Make a new signing key; a running service uses it within a second."""
    if arguments.retire_after is not None and arguments.retire_after < 0:
        raise BadRequest("--retire-after must be 0 or more seconds.")
    app.load_keys()
    retired = app.keys.rotate(arguments.retire_after)
    return "\n".join([f"Tokens are signed with {app.keys.kid} from now on.", *(f"Deleted {kid}." for kid in retired)])


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add this group's commands."""
    create = commands.add_parser("create", help="print a new API key of a user as Gen3's credentials JSON")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--ttl", type=int, help="life in seconds; default and most: TokenSettings.api_key_ttl_s")
    create.set_defaults(run=create_key)
    shown = commands.add_parser("list", help="show the API keys of a user")
    shown.add_argument("name", metavar="NAME")
    shown.set_defaults(run=list_keys)
    revoke = commands.add_parser("revoke", help="end an API key, and what came from it")
    revoke.add_argument("jti", metavar="JTI")
    revoke.set_defaults(run=revoke_key)
    rotate = commands.add_parser("rotate", help="make a new key pair, which signs the tokens from now on")
    rotate.add_argument(
        "--retire-after",
        type=int,
        metavar="S",
        help="delete key pairs that were replaced that many seconds ago or earlier: what they signed is refused at "
        "once; default: delete none",
    )
    rotate.set_defaults(run=rotate_keys)
