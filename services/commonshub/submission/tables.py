"""Tables as documents: a cell is text until the dictionary says what its column is."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from ..core.dictionary import NodeType, Property
from ..core.errors import BadRequest
from ..core.spelling import meant, nearest
from .body import Body
from .entity import Document, Fault, fault
from .places import Places, TablePlaces, shown

MAX_ROW_CHARS = 4 * 2**20
"""Longest row of a table; a row that never ends must not fill the memory."""
REMARK = "#"
"""A column whose name starts so is none of the record: what is said of a table can be sent back with it."""
TARGET_KEYS = frozenset({"id", "node_id", "submitter_id", "code"})
"""What a link's column may name its targets by: ``samples.submitter_id``."""

Convert = Callable[[str], Any]

_DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
_CSV_ERRORS = {
    "field larger": "a cell has more than {0} characters; is a closing quote missing?",
    "unexpected end": "a cell begins with a quote that is closed nowhere; where it is part of the text, write "
    'the cell as """like this"" one".',
    " expected after": "a cell goes on after its closing quote; a quote within a quoted cell is written twice.",
}


class Column(NamedTuple):
    """What a header cell says: a property, or one key of a link."""

    name: str
    key: str | None

    def __str__(self) -> str:
        return self.name if self.key is None else f"{self.name}.{self.key}"


class Table:
    """The rows of a TSV or CSV body as ``(row, document)``, read as they come; rows without any value are left out.

    Going through it raises :class:`~commonshub.core.errors.BadRequest` where the header is faulty or what follows is
    no table; the message names row and column.

    Parameters
    ----------
    cell_chars
        Characters of a cell at most.

    Attributes
    ----------
    places, faults, warnings
        As in :class:`.documents.Reading`.
    """

    def __init__(self, body: Body, delimiter: str, nodes: Mapping[str, NodeType], cell_chars: int) -> None:
        self._body = body
        self.delimiter = delimiter
        self._nodes = nodes
        self._cell_chars = cell_chars
        self.places: Places = TablePlaces([])
        self.faults: dict[int, list[Fault]] = {}
        self.warnings: dict[int, list[Fault]] = {}

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows as they were sent, the header first."""
        # The module has one limit for the whole process, which is that of this service.
        csv.field_size_limit(self._cell_chars)
        lines, number = _Lines(self._body), 0
        try:
            for number, cells in enumerate(csv.reader(lines, delimiter=self.delimiter, strict=True), 1):
                lines.row_chars = 0
                yield number, cells
        except csv.Error as error:
            message = str(error)
            message = next((told for part, told in _CSV_ERRORS.items() if part in message), message)
            message = message.format(self._cell_chars)
            raise BadRequest(f"Unable to parse document: row {number + 1}: {message}") from error

    def __iter__(self) -> Iterator[tuple[int, Document]]:
        self.faults.clear()
        self.warnings.clear()
        rows, nodes = self.rows(), self._nodes
        _, sent = next(rows, (0, []))
        self.places = TablePlaces(sent)
        header = [cell.strip().lstrip("*") for cell in sent]
        check_header(header)
        _check_type(header, self.delimiter)
        unnamed = "" in header
        remarks = [index for index, cell in enumerate(header) if cell.startswith(REMARK)]
        columns, width = [column_of(cell) for cell in header], len(header)
        # A comma parts the cells of a CSV, so the targets in one of its cells are parted by another sign.
        separator = "," if self.delimiter == "\t" else "#"
        place = header.index("type") if "type" in header else 0
        makers: dict[str | None, RowMaker] = {}
        for number, raw in rows:
            cells = [cell.strip() for cell in raw]
            for index in remarks:
                cells[index : index + 1] = [""] * (index < len(cells))
            if not any(cells):
                continue
            if not any(header):
                raise BadRequest("Unable to parse document: row 1 is empty; it must have the names of the columns.")
            if len(cells) != width or unnamed:
                self._check_width(number, cells, header)
            node = nodes.get(cells[place]) if place < len(cells) else None
            kind = node.id if node else None
            maker = makers.get(kind)
            if maker is None:
                maker = makers[kind] = RowMaker(columns, node, separator)
            yield number, maker.make(cells)

    def _check_width(self, number: int, cells: list[str], header: list[str]) -> None:
        width = len(header)
        unnamed = [cells[index] for index, name in enumerate(header) if not name and index < len(cells)]
        surplus = [cell for cell in (*unnamed, *cells[width:]) if cell]
        # Remarks are no part of what is counted, or else one about a row would change what is said of it.
        remarks = sum(name.startswith(REMARK) for name in header[: len(cells)])
        found, named = len(cells) - remarks, sum(bool(name) and not name.startswith(REMARK) for name in header)
        if surplus:
            message = f"The row has {found} cells, the header names {named}."
            self.faults[number] = [fault("INVALID_VALUE", message, [], "cells", value=shown(surplus[0]))]
        elif found < named:
            message = f"The row has {found} cells, the header names {named}; nothing is said of the others."
            self.warnings[number] = [fault("INVALID_PROPERTY", message, [], "cells")]


class _Lines:
    """The lines of a body as text, of which no row may take too many.

    Attributes
    ----------
    row_chars
        Length of the row so far; the reader of rows sets it to 0 at the end of each.
    """

    def __init__(self, body: Body) -> None:
        self._text = io.TextIOWrapper(cast(Any, _Blocks(body)), "utf-8-sig", newline="")
        self._count = 0
        self.row_chars = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW_CHARS + 1)
        if not line:
            raise StopIteration
        self._count += 1
        self.row_chars += len(line)
        if self.row_chars > MAX_ROW_CHARS:
            raise BadRequest(
                f"Unable to parse document: the row that ends at line {self._count} or later is longer than "
                f"{MAX_ROW_CHARS} characters."
            )
        return line


class _Blocks(io.BufferedIOBase):
    """A body as a file that is read from the beginning."""

    def __init__(self, body: Body) -> None:
        self._blocks = body.blocks()

    def readable(self) -> bool:
        return True

    def read1(self, _size: int = -1, /) -> bytes:
        return next(self._blocks, b"")


def check_header(header: Sequence[str], where: str = "") -> None:
    """Refuse a header in which a name comes twice.

    Parameters
    ----------
    where
        What the message begins with.
    """
    twice = sorted({cell for cell in header if cell and header.count(cell) > 1})
    if twice:
        columns = " and ".join(str(index + 1) for index, cell in enumerate(header) if cell == twice[0])
        raise BadRequest(
            f"Unable to parse document: {where}the header has {', '.join(twice)} more than once "
            f"({twice[0]} in columns {columns})."
        )


def _check_type(header: Sequence[str], delimiter: str) -> None:
    if any(header) and "type" not in header:
        for other, name in _DELIMITERS.items():
            if any(cell.strip("\"' *") == "type" for cell in header[0].split(other)) and other != delimiter:
                raise BadRequest(
                    f"Unable to parse document: its columns seem to be parted by {name}; text/tab-separated-values "
                    "takes tabs, and text/csv commas."
                )
        like = nearest("type", tuple(cell for cell in header if cell), 1)
        hint = f" {meant(['type'])[:-1]} by {like[0]!r}?" if like else ""
        raise BadRequest(f"Unable to parse document: the header has no column 'type'.{hint}")


def column_of(cell: str) -> Column:
    """What a cell of the header says."""
    name, dot, key = cell.partition(".")
    return Column(name, key if dot else None)


class RowMaker:
    """Makes documents of one node type from rows with one header.

    A row that ends early says nothing of the columns that are left.
    """

    def __init__(self, columns: list[Column], node: NodeType | None, separator: str) -> None:
        self._separator = separator
        self._properties: list[tuple[int, str, Convert]] = []
        self._strange: list[tuple[int, str]] = []
        self._links: list[tuple[int, str, str]] = []
        for index, column in enumerate(columns):
            known = node.properties.get(column.name) if node else None
            if column == Column("", None) or column.name.startswith(REMARK):
                continue
            if column.key is not None and column.name and known is None and column.key in TARGET_KEYS:
                self._links.append((index, column.name, column.key))
            elif known is None or column.key is not None:
                self._strange.append((index, str(column)))
            else:
                self._properties.append((index, column.name, converter(known)))

    def make(self, cells: list[str]) -> Document:
        """The document of one row."""
        count = len(cells)
        document: Document = {}
        for index, name, convert in self._properties:
            if index < count:
                cell = cells[index]
                document[name] = None if cell in ("", "null") else convert(cell)
        for index, name, key in self._links:
            cell = cells[index] if index < count else ""
            if cell in ("", "null"):
                continue
            targets = document.setdefault(name, [])
            for place, value in enumerate(cell.split(self._separator)):
                if place == len(targets):
                    targets.append({})
                targets[place][key] = value.strip()
        # A table of several types has columns that are not every row's; only what is filled in is a fault.
        for index, name in self._strange:
            if index < count and cells[index] not in ("", "null"):
                document[name] = cells[index]
        return document


def converter(known: Property | None) -> Convert:
    """From a cell to a value; what cannot be read stays text, so that the schema names it."""
    if known is None or known.name == "urls":
        return str
    if known.kind == "array":
        item = _CONVERTERS.get(known.item_kind or "string", str)
        return lambda cell: [item(each.strip()) for each in cell.split(",")]
    return _CONVERTERS.get(known.kind, str)


def _integer(cell: str) -> Any:
    try:
        value = int(cell)
    except ValueError:
        return cell
    return value if abs(value) < 2**63 and "_" not in cell else cell


def _number(cell: str) -> Any:
    # A whole number may have more digits than a float keeps.
    if isinstance(whole := _integer(cell), int):
        return whole
    try:
        value = float(cell)
    except ValueError:
        return cell
    if "_" in cell:
        return cell
    if value != value or value in (float("inf"), float("-inf")):
        return cell
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _boolean(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell.lower(), cell)


# Python reads 1_000 as a number; nobody else does. Whole numbers of more than 64 bits fit into no answer.
_CONVERTERS: Mapping[str, Convert] = {"integer": _integer, "number": _number, "boolean": _boolean, "string": str}
