"""``commonshub policy …``."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from commonshub.core.grants import load
from commonshub.core.identity import Identity
from commonshub.core.policy import Grant, Reason, Request, format_path

from .. import sources
from ..app import AuthApp
from ..exporting import export
from ..importing import Report, import_file
from ..names import username
from .operator import REQUEST_ID
from .progress import Progress

NOBODY = "-"


def import_users(app: AuthApp, arguments: argparse.Namespace) -> Iterator[str]:
    """Import a user.yaml, whether or not it has changed, or say what that would change."""
    file = Path(arguments.file or app.user_file)
    with Progress(sys.stderr) as progress:
        report = import_file(
            app,
            file,
            sources.USER_FILE,
            always=True,
            dry_run=arguments.dry_run,
            request_id=REQUEST_ID,
            progress=progress,
        )
    yield from (f"Warning: {each}" for each in report.warnings)
    yield from _told(report)
    if arguments.dry_run:
        for each in report.changes:
            yield from each.lines()
        yield f"Nothing was changed. {file} can be imported."
    else:
        yield f"Imported {file}."


def _told(report: Report) -> Iterator[str]:
    for each in report.changes:
        numbers = ", ".join(f"{number} {what}" for what, number in each.counts().items() if number)
        yield f"{each.kind.name}: {numbers}"
    if not report.changes:
        yield "The file says what the commons has already."


def export_users(app: AuthApp, arguments: argparse.Namespace) -> str:
    """Write what came from user.yaml, or from anywhere, as a user.yaml."""
    text, left_out = app.database.call(export, app.schema, None if arguments.all else sources.USER_FILE)
    for line in left_out:
        print(f"Left out: {line}", file=sys.stderr)
    return text.rstrip("\n")


def explain(app: AuthApp, arguments: argparse.Namespace) -> Iterator[str]:
    """Say whether somebody may do something, and by what."""
    name = None if arguments.user == NOBODY else username(arguments.user)
    snapshot = app.database.call(load, app.schema)
    request = Request(arguments.service, arguments.method, arguments.path)
    identity = Identity(name, arguments.client)
    reasons = snapshot.explain(identity, request)
    yield "allowed" if snapshot.allows(identity, request) else "denied"
    for reason in reasons:
        yield from _lines(reason) if reason.grants else [f"{_subject(reason)}: nothing grants it"]
    if name is not None and not snapshot.active(name):
        yield f"user {name} is switched off"


def who_can(app: AuthApp, arguments: argparse.Namespace) -> Iterator[str]:
    """Say who may do something, and by what."""
    snapshot = app.database.call(load, app.schema)
    reasons = snapshot.who_can(arguments.service, arguments.method, arguments.path)
    for reason in reasons:
        yield from _lines(reason)
    if not reasons:
        yield "nobody"


def _lines(reason: Reason) -> Iterable[str]:
    return [f"{_subject(reason)}: {_words(grant)}" for grant in reason.grants]


def _subject(reason: Reason) -> str:
    everybody = {"anonymous": "everybody", "logged-in": "everybody who is signed in"}
    return everybody[reason.name] if reason.kind == "group" else f"{reason.kind} {reason.name}"


def _words(grant: Grant) -> str:
    words = f"policy {grant.policy.id}"
    if grant.group is not None:
        words += f", by group {grant.group}"
    words += f", from {grant.binding.source or 'an unnamed source'}"
    if grant.expires_at is not None:
        words += f", until {datetime.fromtimestamp(grant.expires_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return words


def list_policies(app: AuthApp, _arguments: argparse.Namespace) -> Iterator[str]:
    """List the policies: what each allows, and where."""
    for name, policy in sorted(app.database.call(load, app.schema).policies.items()):
        allowed = " ".join(sorted(f"{each.service}:{each.method}" for each in policy.permissions))
        where = " ".join(sorted(map(format_path, policy.paths)))
        yield f"{name}\t{allowed}\t{where}"


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add this group's commands."""
    importing = commands.add_parser("import", help="import a user.yaml")
    importing.add_argument("file", nargs="?", help="default: user.yaml in the data folder")
    importing.add_argument("--dry-run", action="store_true", help="only say what would be added, changed and removed")
    importing.set_defaults(run=import_users)
    exporting = commands.add_parser("export", help="print what came from user.yaml as a user.yaml")
    exporting.add_argument("--all", action="store_true", help="what came from elsewhere too")
    exporting.set_defaults(run=export_users)
    explaining = commands.add_parser("explain", help="say whether somebody may do something, and why")
    explaining.add_argument("user", metavar="USER", help=f"name of a user, {NOBODY} for somebody not signed in")
    _add_question(explaining)
    explaining.add_argument("--client", metavar="ID", help="client_id of the application that acts for him")
    explaining.set_defaults(run=explain)
    asking = commands.add_parser("who-can", help="say who may do something, and why")
    _add_question(asking)
    asking.set_defaults(run=who_can)
    listing = commands.add_parser("list", help="list the policies: name, permissions, paths")
    listing.set_defaults(run=list_policies)


def _add_question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", metavar="SERVICE", help="such as fence, or * for every one")
    parser.add_argument("method", metavar="METHOD", help="such as read-storage, or * for every one")
    parser.add_argument("path", metavar="PATH", help="a resource path, such as /programs/P/projects/Q")
