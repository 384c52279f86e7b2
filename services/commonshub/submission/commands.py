"""``commonshub dictionary …``: the operator's commands on the dictionary, whether or not the service runs."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..core import versions
from ..core.dictionary.difference import difference
from ..core.errors import Conflict
from ..core.identity import ANONYMOUS
from ..core.operator import run_command
from ..core.versions import SENT, Draft, Waits
from .app import SubmissionApp
from .preview import Author, Bounds, Looking, Preview, apply, preview

PATIENCE_S = 2
_OPERATOR = Author(ANONYMOUS, "cli")


def parser() -> argparse.ArgumentParser:
    """The command line; each command's function is in ``run``."""
    root = argparse.ArgumentParser(prog="commonshub dictionary", description="The data dictionary.")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    looking = commands.add_parser(
        "preview",
        help="say what another dictionary would change",
        description="Say what another dictionary would change, and which stored records would no longer be valid. "
        "Changes nothing. Ends with status 1 where it would be applied with --force only, or not at all.",
    )
    _add_draft(looking, look)
    applying = commands.add_parser(
        "apply",
        help="let another dictionary be in force",
        description="Let another dictionary be in force in all services, with no restart. Refuses where stored "
        "records would no longer be valid or be out of sight, unless --force.",
    )
    applying.add_argument("--force", action="store_true", help="apply it in spite of what that does to stored records")
    _add_draft(applying, put)
    listing = commands.add_parser("versions", help="list the dictionaries that have been in force, the last one first")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(run=list_versions)
    return root


def _add_draft(command: argparse.ArgumentParser, run: Any) -> None:
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "place", nargs="?", metavar="PLACE", help="folder, JSON file or URL (default: that of the configuration)"
    )
    which.add_argument("--version", type=int, metavar="N", help="an earlier version")
    command.add_argument("--json", action="store_true", help="as JSON")
    command.set_defaults(run=run)


def main(argv: Sequence[str]) -> int:
    """Run one command; its exit status, see :func:`~commonshub.core.operator.run_command`."""
    return run_command(SubmissionApp, parser(), argv)


class _Bar(Looking):
    """Shows how far it is, where that takes longer than a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = tqdm(delay=PATIENCE_S, unit=" records", leave=False, file=sys.stderr)

    def check(self) -> None:
        self.bar.total = self.total
        self.bar.set_description_str(self.type, refresh=False)
        self.bar.update(self.done - self.bar.n)


def look(app: SubmissionApp, arguments: argparse.Namespace) -> int:
    """Say what would change; 1 where that is not to be had for the asking."""
    made = _preview(app, arguments)
    _show(made, as_json=arguments.json)
    return 1 if made.duplicates or made.reasons else 0


def put(app: SubmissionApp, arguments: argparse.Namespace) -> int:
    """Apply it."""
    made = _preview(app, arguments)
    made.refuse(arguments.force)
    waits = Waits(app.dictionary_wait_s, app.large_timeout_s)
    version = app.database.call(apply, app.database.settings, made, waits, force=arguments.force, author=_OPERATOR)
    _show(made, as_json=arguments.json)
    if not arguments.json:
        print(f"Version {version.number} is in force.")
    return 0


def list_versions(app: SubmissionApp, arguments: argparse.Namespace) -> Iterator[str]:
    """List the versions."""
    rows = app.database.call(versions.listed, app.database.settings.graph_schema)
    if arguments.json:
        yield json.dumps([asdict(row) for row in rows], default=str)
        return
    for row in rows:
        by = f" by {row.applied_by}" if row.applied_by else ""
        yield f"{row.number:>5}  {row.applied_at:%Y-%m-%d %H:%M:%S}  {row.digest[:12]}  {row.whence}{by}"


def _draft(app: SubmissionApp, arguments: argparse.Namespace) -> Draft:
    if arguments.version is not None:
        return app.database.call(versions.draft_of_version, app.database.settings.graph_schema, arguments.version)
    draft = versions.draft_of_source(arguments.place or app.commons.dictionary)
    if arguments.place is None or _same(arguments.place, app.commons.dictionary):
        return draft
    return replace(draft, whence=SENT, source_digest=None)


def _same(place: str, other: str) -> bool:
    return place == other or Path(place).resolve() == Path(other).resolve()


def _preview(app: SubmissionApp, arguments: argparse.Namespace) -> Preview:
    schema = app.database.settings.graph_schema
    row = app.database.call(versions.newest, schema)
    if row is None:
        raise Conflict(
            "There is no dictionary in force yet: the first start of the commons applies the configured one."
        )
    draft, old = _draft(app, arguments), app.database.call(versions.load, schema, row.number).dictionary
    bounds, looking = Bounds(app.max_previewed_records, app.large_timeout_s), _Bar()
    with looking.bar:
        return app.database.call(preview, draft, old, row.number, schema, bounds, looking)


def _show(made: Preview, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(made.document()))
        return
    for line in _lines(made):
        print(line)


def _lines(made: Preview) -> Iterator[str]:
    changes = difference(made.old, made.draft.dictionary)
    yield from changes.lines()
    if not changes.changes:
        yield f"This is version {made.after} of the dictionary, which is in force."
    for found in made.findings:
        if found.invalid:
            rules = ", ".join(f"{name} ({rule}) {count}" for (name, rule), count in found.rules.most_common())
            yield f"{found.invalid} of {found.records} {found.type} would no longer be valid: {rules}"
        for each in found.examples:
            told = "; ".join(fault["message"] for fault in each["errors"])
            yield f"  {found.type} {each['submitter_id']} of {each['project_id']} ({each['id']}): {told}"
    for each in made.unseen:
        place = ".".join(each[key] for key in ("type", "property", "link") if key in each)
        yield f"out of sight: what {each['records']} records hold of {place}"
    for each in made.duplicates:
        yield f"not possible: {each['keys']} values of the unique key ({', '.join(each['key'])}) are there twice"
