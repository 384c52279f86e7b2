"""Faults as a table that can be mended and sent back.

A table comes back as it was sent, with one more column that says what is wrong; readers pass over it. Of what was no
table (JSON) there is a table with a line for each fault.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from .entity import Fault, Outcome
from .tables import REMARK

COLUMN = f"{REMARK}errors"
_LISTED = ("row", "column", "value", "rule", "message", "suggestion")
_BLOCK_ROWS = 1000
MAX_TOLD_CHARS = 300
"""So much of a message is told in a cell: those of long lists of values name all of them."""


def sent_back(rows: Iterable[tuple[int, Sequence[str]]], outcome: Outcome) -> Iterator[list[str]]:
    """The rows of a table that was sent, each with what is wrong with it in one more cell.

    Parameters
    ----------
    rows
        ``(row, cells)`` as they were sent, the header first.
    """
    told = faults_by_row(outcome)
    missing = outcome.invalid - sum(not each["valid"] for each in outcome.entities)
    title = COLUMN if not missing else f"{COLUMN} (of the first {len(told)} faulty rows; {missing} more are faulty)"
    width, dropped = 0, None
    for number, sent in rows:
        cells = list(sent)
        if not width:
            # A second round: what was said of the first is said no more.
            dropped = next((index for index, cell in enumerate(cells) if cell.strip().startswith(COLUMN)), None)
            width = len(cells) - (dropped is not None)
        if dropped is not None and dropped < len(cells):
            del cells[dropped]
        if number == 1:
            yield [*cells, title]
        elif not any(cells) and number not in told:
            yield cells
        else:
            # What stands beyond the header stays there, so that it is still a fault when it is sent again.
            padding = [""] * (width - len(cells))
            yield [*cells[:width], *padding, " | ".join(told.get(number, ())), *cells[width:]]


def listed(outcome: Outcome) -> Iterator[list[str]]:
    """A header, and a row for each fault."""
    faults = [each for entity in outcome.entities for each in entity["errors"]]
    faults += [each for each in outcome.transactional_errors if isinstance(each, dict)]
    names = [name for name in ("sheet", "cell") if any(name in each for each in faults)]
    names += _LISTED
    yield names
    for each in faults:
        yield ["" if each.get(name) is None else str(each[name]) for name in names]


def faults_by_row(outcome: Outcome) -> Mapping[int, list[str]]:
    """What is wrong with each row, in sentences."""
    found: dict[int, list[str]] = {}
    for entity in outcome.entities:
        for each in entity["errors"]:
            found.setdefault(each["row"], []).append(sentence(each))
    return found


def sentence(each: Fault) -> str:
    """A fault in one line: where, what, and what to do."""
    column = each.get("column")
    message = str(each["message"])
    if len(message) > MAX_TOLD_CHARS:
        message = f"{message[:MAX_TOLD_CHARS]}…"
    text = " ".join(part for part in (f"{column}:" if column else "", message, each.get("suggestion") or "") if part)
    # A spreadsheet would take it for a formula.
    return f"'{text}" if text[0] in "=+-@" else text


def written(rows: Iterator[list[str]], delimiter: str) -> Iterator[bytes]:
    """Rows as the text of a table, in pieces."""
    while block := list(islice(rows, _BLOCK_ROWS)):
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=delimiter, lineterminator="\n").writerows(block)
        yield buffer.getvalue().encode()
