"""How the client's objects look in a notebook. Everything that came from elsewhere is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

MAX_ROWS = 60


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """An HTML table; long ones are cut with a note."""
    rows = list(rows)
    head = "".join(f"<th scope='col' style='text-align:left'>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows[:MAX_ROWS])
    if len(rows) > MAX_ROWS:
        body += f"<tr><td colspan='{len(columns)}'>… and {len(rows) - MAX_ROWS} more</td></tr>"
    title = f"<caption style='text-align:left'>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def details(fields: Mapping[str, Any]) -> str:
    """An HTML table of names and values."""
    rows = "".join(
        f"<tr><th scope='row' style='text-align:left'>{escape(name)}</th>{_cell(value)}</tr>"
        for name, value in fields.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def size_text(size_bytes: int | None) -> str:
    """A size for people: ``1.4 MB``."""
    if size_bytes is None:
        return "unknown"
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"


def _cell(value: Any) -> str:
    return f"<td style='text-align:left'>{escape('' if value is None else str(value))}</td>"
