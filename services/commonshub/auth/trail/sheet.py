"""Rows of the trail as CSV that a spreadsheet cannot be tricked by."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

# A spreadsheet takes a cell that starts so for a formula, and a formula may fetch or start things.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], heading: bool = False) -> str:
    """Rows as CSV (RFC 4180), with a line of column names before them where `heading` says so."""
    text = io.StringIO()
    writer = csv.writer(text)
    if heading:
        writer.writerow(columns)
    writer.writerows([cell(row[name]) for name in columns] for row in rows)
    return text.getvalue()


def cell(value: Any) -> str:
    """One value: text that looks like a formula gets an apostrophe before it, lists and objects are JSON."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
