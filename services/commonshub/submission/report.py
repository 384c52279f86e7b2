"""Faults as a table that can be mended and sent back.

A table comes back as it was sent, with one more column that says what is wrong; readers pass over it. Of what was no
table (JSON) there is a table with a line for each fault.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from ..core.cells import table_text
from .entity import Fault, Outcome
from .tables import REMARK

COLUMN = f"{REMARK}errors"
_LISTED = ("row", "column", "value", "rule", "message", "suggestion")
_BLOCK_ROWS = 1000
MAX_TOLD_CHARS = 300
"""So much of a message is told in a cell: those of long lists of values name all of them."""


def sent_back(rows: Iterable[tuple[int, Sequence[str]]], outcome: Outcome) -> Iterator[list[str]]:
    """The rows of a table that was sent, each with what is wrong with it in one more cell in front.

    Parameters
    ----------
    rows
        ``(row, cells)`` as they were sent, the header first.
    """
    told = faults_by_row(outcome)
    missing = outcome.invalid - sum(not each["valid"] for each in outcome.entities)
    title = COLUMN if not missing else f"{COLUMN} (of the first {len(told)} faulty rows; {missing} more are faulty)"
    dropped = None
    for number, sent in rows:
        cells = list(sent)
        if number == 1:
            # A second round: what was said of the first is said no more.
            dropped = next((index for index, cell in enumerate(cells) if cell.strip().startswith(COLUMN)), None)
        if dropped is not None:
            del cells[dropped : dropped + 1]
        # In front, where it changes nothing of a row that ends early.
        said = title if number == 1 else " | ".join(told.get(number, ()))
        yield [said, *cells] if sent or said else []


def listed(outcome: Outcome) -> Iterator[list[str]]:
    """A header, and a row for each fault."""
    faults = [each for entity in outcome.entities for each in entity["errors"]]
    faults += [each for each in outcome.transactional_errors if isinstance(each, dict)]
    names = [name for name in ("document", "sheet", "cell") if any(name in each for each in faults)]
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
        yield table_text(block, delimiter).encode()
