"""Rows as the text of a table that every reader takes apart again."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


def table_text(rows: Iterable[Sequence[Any]], delimiter: str) -> str:
    """TSV or CSV with plain line ends; cells are quoted where they have to be."""
    rows = list(rows)
    text = _written(rows, delimiter, csv.QUOTE_MINIMAL)
    # Python's writer leaves a lone carriage return unquoted, which ends a line for every reader.
    return _written(rows, delimiter, csv.QUOTE_ALL) if "\r" in text else text


def _written(rows: Iterable[Sequence[Any]], delimiter: str, quoting: Any) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(rows)
    return buffer.getvalue()


def cell(value: Any) -> str:
    """A value as a cell; the items of a list are parted by commas."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
