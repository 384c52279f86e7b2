"""``commonshub user …``."""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from commonshub.core.errors import BadRequest, TooLarge

from .. import sources
from ..app import AuthApp
from ..authz import groups, people
from ..authz.forms import Grant
from ..authz.store import Document, Page
from ..importing import import_file
from ..names import username
from ..users import accounts, store
from .operator import REQUEST_ID, change, future, printable

ADMINISTRATOR = "administrator"
PAGE = 1000


def add_user(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Make a user, or change one."""
    try:
        import_file(app, Path(app.user_file), sources.USER_FILE, request_id=REQUEST_ID)
    except (BadRequest, TooLarge) as error:
        # A fault in the file must not keep the operator from making the administrator who mends it.
        print(f"{app.user_file} was not imported. {error}", file=sys.stderr)
    name = username(arguments.name)
    known = app.database.call(store.find_user, app.schema, name)
    change(
        app,
        "change_user" if known else "create_user",
        name,
        lambda connection: store.put_user(connection, app.schema, name, sources.CLI, arguments.email),
    )
    if arguments.admin:
        _give(app, name, ADMINISTRATOR, None)
        return f"{name} is a user and an administrator of this commons."
    return f"{name} is a user of this commons."


def list_users(app: AuthApp, arguments: argparse.Namespace) -> Iterator[str]:
    """All users by name, one a line."""
    start = ""
    while True:
        page, following = app.database.call(people.list_users, app.schema, Page(start, PAGE))
        for user in page:
            yield json.dumps(user) if arguments.json else _line(user)
        if following is None:
            return
        start = following


def _line(user: Document) -> str:
    state = "" if user["active"] else "  switched off"
    policies = ", ".join(dict.fromkeys(each["policy"] for each in user["policies"]))
    held = "  ".join(filter(None, [policies, f"groups: {', '.join(user['groups'])}" if user["groups"] else ""]))
    return printable(f"{user['name']}{state}  {held}".rstrip())


def show_user(app: AuthApp, arguments: argparse.Namespace) -> str:
    """One user and what he was given by whom."""
    user = app.database.call(people.read_user, app.schema, username(arguments.name))
    if arguments.json:
        return json.dumps(user)
    lines = [
        f"name: {user['name']}",
        f"email: {user['email'] or '-'}",
        f"active: {'yes' if user['active'] else 'no'}",
        f"source: {user['source']}",
        *(f"group: {name}" for name in user["groups"]),
    ]
    for each in user["policies"]:
        until = f", until {each['expires_at']}" if each["expires_at"] else ""
        lines.append(f"policy: {each['policy']} (by {each['source']}{until})")
    return "\n".join(map(printable, lines))


def deactivate(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Switch a user off; every service refuses him within moments."""
    name, ttl_s = username(arguments.name), app.longest_life_s
    change(app, "deactivate_user", name, lambda connection: accounts.deactivate(connection, app.schema, name, ttl_s))
    return f"{name} is switched off, and his API keys have ended."


def reactivate(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Switch a user on again."""
    name = username(arguments.name)
    change(app, "reactivate_user", name, lambda connection: accounts.reactivate(connection, app.schema, name))
    return f"{name} is switched on."


def delete_user(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Forget a user; his tokens are refused also when somebody else comes to have his name."""
    name, ttl_s = username(arguments.name), app.longest_life_s

    def delete(connection: Any) -> None:
        store.get_user(connection, app.schema, name)
        people.delete_user(connection, app.schema, name, sources.CLI, ttl_s)

    change(app, "delete_user", name, delete)
    return f"{name} is no user of this commons any more."


def grant(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Give a user a policy, perhaps until a moment."""
    name, policy = username(arguments.name), arguments.policy
    until = future(arguments.until, "--until") if arguments.until else None
    _give(app, name, policy, until)
    return f"{name} has the policy {policy}{f' until {until:%Y-%m-%d %H:%M} UTC' if until else ''}."


def _give(app: AuthApp, name: str, policy: str, until: datetime | None) -> None:
    change(
        app,
        "grant",
        name,
        lambda connection: people.grant_to_user(connection, app.schema, name, [Grant(policy, until)], sources.CLI),
        {"policy": policy, "until": until and until.isoformat()},
    )


def revoke(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Take a policy that a command gave from a user."""
    name, policy = username(arguments.name), arguments.policy
    change(
        app,
        "revoke",
        name,
        lambda connection: people.revoke_from_user(connection, app.schema, name, policy, sources.CLI),
        {"policy": policy},
    )
    return f"{name} does not have the policy {policy} by a command any more."


def join_group(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Put a user into a group, perhaps until a moment."""
    name, group = username(arguments.name), arguments.group
    until = future(arguments.until, "--until") if arguments.until else None
    change(
        app,
        "grant",
        name,
        lambda connection: groups.join_group(connection, app.schema, group, name, until, sources.CLI),
        {"group": group, "until": until and until.isoformat()},
    )
    return f"{name} is in the group {group}{f' until {until:%Y-%m-%d %H:%M} UTC' if until else ''}."


def leave_group(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Take a user out of a group."""
    name, group = username(arguments.name), arguments.group
    change(
        app,
        "revoke",
        name,
        lambda connection: groups.leave_group(connection, app.schema, group, name, sources.CLI),
        {"group": group},
    )
    return f"{name} is not in the group {group}."


UNTIL = "end of it: 30d, 12h, or a moment such as 2026-12-31"


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add this group's commands."""

    def command(name: str, run: Any, text: str, example: str, *positional: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=run.__doc__, epilog=f"example: commonshub user {example}"
        )
        for each in positional:
            parser.add_argument(each.lower(), metavar=each)
        parser.set_defaults(run=run)
        return parser

    add = command("add", add_user, "make or change a user", "add alice --email alice@example.org", "NAME")
    add.add_argument("--admin", action="store_true", help=f"give the policy {ADMINISTRATOR}")
    add.add_argument("--email")
    listed = command("list", list_users, "show all users", "list --json")
    listed.add_argument("--json", action="store_true", help="one JSON object a line")
    shown = command("show", show_user, "show a user and what he was given", "show alice", "NAME")
    shown.add_argument("--json", action="store_true", help="as JSON")
    command("deactivate", deactivate, "switch a user off, at once and everywhere", "deactivate alice", "NAME")
    command("reactivate", reactivate, "switch a user on again", "reactivate alice", "NAME")
    command("delete", delete_user, "forget a user", "delete alice", "NAME")
    given = command("grant", grant, "give a user a policy", "grant alice project_reader --until 30d", "NAME", "POLICY")
    given.add_argument("--until", metavar="TIME", help=UNTIL)
    command("revoke", revoke, "take a policy from a user", "revoke alice project_reader", "NAME", "POLICY")
    _add_group_commands(commands)


def _add_group_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    group = commands.add_parser("group", help="put a user into a group, or take him out")
    changes = group.add_subparsers(metavar="COMMAND", required=True)
    for name, run, text in (("add", join_group, "put a user into a group"), ("remove", leave_group, "take him out")):
        parser = changes.add_parser(
            name, help=text, description=run.__doc__, epilog=f"example: commonshub user group {name} alice curators"
        )
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("group", metavar="GROUP")
        if run is join_group:
            parser.add_argument("--until", metavar="TIME", help=UNTIL)
        parser.set_defaults(run=run)
