"""``commonshub client …``."""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from commonshub.core.errors import BadRequest

from .. import sources
from ..app import AuthApp
from ..oauth.clients import GRANT_TYPES, SCOPES
from ..oauth.registry import Registered, Registry
from .operator import OPERATOR, REQUEST_ID

if TYPE_CHECKING:
    import sqlalchemy as sa

T = TypeVar("T")
# Option of a field, and field of a client.
OPTIONS = {
    "urls": "redirect_uris",
    "username": "owner",
    "grant_types": "grant_types",
    "policies": "policies",
    "allowed_scopes": "scopes",
    "expires_in": "expires_in_days",
    "auto_approve": "auto_approve",
}


def call(app: AuthApp, work: Callable[[Registry], T]) -> T:
    """Do `work` in one transaction, as the operator."""

    def run(connection: "sa.Connection") -> T:
        return work(Registry(connection, app, OPERATOR, REQUEST_ID, sources.CLI))

    return app.database.call(run)


def fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields that the options name."""
    given = {field: getattr(arguments, option, None) for option, field in OPTIONS.items()}
    return {field: value for field, value in given.items() if value is not None}


def create(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Register an application; its secret is shown this once."""
    told = {"name": arguments.name, "confidential": not arguments.public, **fields(arguments)}
    return shown(call(app, lambda registry: registry.create(told)))


def shown(registered: Registered) -> str:
    """What the developer of the application needs."""
    document = registered.document()
    secret = document.get("client_secret")
    return json.dumps({"client_id": document["client_id"], **({"client_secret": secret} if secret else {})})


def list_clients(app: AuthApp, arguments: argparse.Namespace) -> str:
    """All applications, one a line."""
    return "\n".join(line(each) for each in call(app, lambda registry: registry.listed()))


def line(registered: Registered) -> str:
    """One application on a line."""
    client = registered.client
    kind = "confidential" if client.confidential else "public"
    end = f"until {datetime.fromtimestamp(client.expires_at, UTC):%Y-%m-%d %H:%M} UTC" if client.expires_at else ""
    return "  ".join(filter(None, [client.name, client.id, kind, ",".join(sorted(client.grant_types)), end]))


def show(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Everything on the applications of a name, as JSON."""

    def found(registry: Registry) -> list[Registered]:
        registry.named(arguments.name)
        return registry.listed(arguments.name)

    return json.dumps([each.document() for each in call(app, found)], indent=2)


def modify(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Change all applications of a name."""
    told = fields(arguments)
    if not told:
        raise BadRequest("Say what to change; see --help.")
    changed = call(app, lambda registry: registry.change(registry.named(arguments.name), told))
    return "\n".join(f"Changed {line(each)}" for each in changed)


def rotate(app: AuthApp, arguments: argparse.Namespace) -> str:
    """A second client_id and secret under the same name."""
    return shown(call(app, lambda registry: registry.rotate(registry.named(arguments.name)[0], fields(arguments))))


def delete(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Delete all applications of a name, or one of them."""

    def chosen(registry: Registry) -> int:
        found = registry.named(arguments.name)
        if arguments.client_id is not None:
            found = [client for client in found if client.id == arguments.client_id]
            if not found:
                raise BadRequest(f"--client-id: {arguments.name!r} has no such client_id.")
        registry.delete(found)
        return len(found)

    return f"Deleted {call(app, chosen)} of the client_ids of {arguments.name!r}."


def delete_expired(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Delete the applications whose time is over, and name those that end within a week."""
    ended, soon = call(app, lambda registry: registry.delete_expired())
    lines = [f"Deleted {client.name}  {client.id}" for client in ended]
    lines += ["Some expired OIDC clients have been deleted!"] if ended else ["No OIDC client has expired."]
    lines += ["Some OIDC clients are expiring soon!"] if soon else []
    return "\n".join([*lines, *(line(Registered(client)) for client in soon)])


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add this group's commands."""
    made = commands.add_parser("create", help="register an application; prints its client_id and secret as JSON")
    made.add_argument("name", metavar="NAME")
    made.add_argument("--public", action="store_true", help="it cannot keep a secret, and must use PKCE")
    _add_fields(made)
    made.set_defaults(run=create)
    commands.add_parser("list", help="all applications, one a line").set_defaults(run=list_clients)
    one = commands.add_parser("show", help="everything on the applications of a name, as JSON")
    one.add_argument("name", metavar="NAME")
    one.set_defaults(run=show)
    changed = commands.add_parser("modify", help="change the applications of a name")
    changed.add_argument("name", metavar="NAME")
    _add_fields(changed)
    changed.set_defaults(run=modify)
    rotated = commands.add_parser("rotate", help="print a second client_id and secret of the same name")
    rotated.add_argument("name", metavar="NAME")
    _add_end(rotated)
    rotated.set_defaults(run=rotate)
    deleted = commands.add_parser("delete", help="delete the applications of a name")
    deleted.add_argument("name", metavar="NAME")
    deleted.add_argument("--client-id", metavar="ID", help="only this one of the name")
    deleted.set_defaults(run=delete)
    expired = commands.add_parser("delete-expired", help="delete the applications whose time is over")
    expired.set_defaults(run=delete_expired)


def _add_fields(command: argparse.ArgumentParser) -> None:
    command.add_argument("--urls", nargs="+", metavar="URL", help="where browsers may be sent with a code, exactly")
    command.add_argument("--username", metavar="NAME", help="user who answers for it")
    command.add_argument("--grant-types", nargs="+", metavar="TYPE", help=f"some of {', '.join(GRANT_TYPES)}")
    command.add_argument("--policies", nargs="*", metavar="ID", help="what it may do at most, for whomever it acts")
    command.add_argument("--allowed-scopes", nargs="+", metavar="SCOPE", help=f"some of {', '.join(SCOPES)}")
    command.add_argument("--auto-approve", action=argparse.BooleanOptionalAction, help="do not ask users for consent")
    _add_end(command)


def _add_end(command: argparse.ArgumentParser) -> None:
    command.add_argument("--expires-in", type=float, metavar="DAYS", help="days until it ends; 0 for never")
