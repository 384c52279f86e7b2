"""``commonshub audit``."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson

from ..app import AuthApp
from ..trail import sheet, store
from ..trail.questions import Question
from ..trail.store import Place
from ..trail.views import View, views
from .operator import past, printable

COLUMNS = {
    "user": "username",
    "client": "client",
    "action": "action",
    "subject": "subject",
    "decision": "decision",
    "request_id": "request_id",
}

EXAMPLES = """\
examples:
  commonshub audit --user alice --since 7d
  commonshub audit --action download --subject dg.1234/0b3c… --decision denied
  commonshub audit --since 2026-01-01 --until 2026-02-01 --csv > january.csv
"""


def show_rows(app: AuthApp, arguments: argparse.Namespace) -> Iterator[str]:
    """The newest rows, oldest of them first; or all, as CSV or as JSON lines."""
    view = views(app.schema)[""]
    filters = {column: (value,) for name, column in COLUMNS.items() if (value := getattr(arguments, name)) is not None}
    until = past(arguments.until, "--until") if arguments.until else datetime.now(UTC)
    question = Question(filters, past(arguments.since, "--since") if arguments.since else None, until)
    if arguments.csv or arguments.json:
        return _all(app, view, question, csv=arguments.csv)
    return _newest(app, view, question, arguments.limit)


def _newest(app: AuthApp, view: View, question: Question, limit: int) -> Iterator[str]:
    found = app.database.call(store.page, view, question, limit, newest_first=True)
    for row in reversed(found.rows):
        who = row["username"] or row["client"] or "-"
        detail = orjson.dumps(row["detail"]).decode() if row["detail"] else ""
        line = (
            f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['decision']:<8}{row['action']:<16}{who}  {row['subject']}  {detail}"
        )
        yield printable(line.rstrip())


def _all(app: AuthApp, view: View, question: Question, *, csv: bool) -> Iterator[str]:
    place: Place | None = None
    while True:
        found = app.database.call(store.page, view, question, app.audit_page_rows, place)
        if csv:
            yield sheet.lines(found.rows, tuple(view.columns), heading=place is None).removesuffix("\r\n")
        else:
            yield from (orjson.dumps(row).decode() for row in found.rows)
        place = found.next
        if place is None:
            return


def _limit(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError("a number from 1 to 10000")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Make `parser` that of this command."""
    parser.description = "Show the audit trail: who was given, or refused, what."
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--user", metavar="NAME", help="rows of this user")
    parser.add_argument("--client", metavar="ID", help="rows of this application")
    parser.add_argument("--action", help="such as download, upload, login, api_key, grant")
    parser.add_argument("--subject", help="a GUID, or the name of what was changed")
    parser.add_argument("--decision", choices=("allowed", "denied", "failed"))
    parser.add_argument("--request-id", metavar="ID", help="rows of one request")
    parser.add_argument("--since", metavar="TIME", help="7d, 12h, 30m, or a moment such as 2026-01-31T12:00")
    parser.add_argument("--until", metavar="TIME", help="the same; default: now")
    parser.add_argument("--limit", type=_limit, default=100, help="show so many of the newest rows (default: 100)")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--csv", action="store_true", help="all rows, oldest first, as CSV")
    shape.add_argument("--json", action="store_true", help="all rows, oldest first, one JSON object a line")
    parser.set_defaults(run=show_rows)
