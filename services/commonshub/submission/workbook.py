"""Workbooks (``.xlsx``) as documents: a sheet for each node type, named after it, with a header in its first row.

A workbook is a zip archive of XML, so a small one can hold anything. What is unzipped, and the cells that are gone
through, are bounded before they are.
"""

import io
import zipfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time
from typing import Any, NamedTuple

from ..core.dictionary import NodeType, Property
from ..core.errors import BadRequest, CommonsError, TooLarge
from ..core.spelling import meant, nearest
from .body import Body
from .entity import Document, Fault, fault
from .places import Places, TablePlaces
from .tables import REMARK, RowMaker, check_header, column_of

MAX_PARTS = 10_000
"""Files in the archive of a workbook."""
MAX_COLUMNS = 16_384
"""As many has a sheet in Excel."""
MAX_SHEET_NAME_CHARS = 31
"""Longer ones Excel does not take, so that the names of some node types are cut."""
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OLD_WORKBOOK_SAID = "it is a workbook in the format before .xlsx, or one with a password; save it as .xlsx without."
_WATCHED_COLUMNS = 256
# A spreadsheet keeps 15 digits of a number, and turns the others into zeros.
_FIRST_UNKEPT = 10**15


class Bounds(NamedTuple):
    """What is read of a workbook at most.

    Parameters
    ----------
    bytes
        Bytes of all its parts, unzipped.
    cells
        Cells, those without a value included.
    cell_chars
        Characters of one cell.
    """

    bytes: int
    cells: int
    cell_chars: int


class Sheet(NamedTuple):
    """A sheet that has been begun: the number before its first row, its name and its header."""

    before: int
    name: str
    places: TablePlaces


class WorkbookPlaces:
    """Places in a workbook, whose sheets are numbered through."""

    def __init__(self, sheets: Sequence[Sheet]) -> None:
        self._sheets = sheets

    def place(self, number: int, key: str | None, pointer: str | None) -> Mapping[str, Any]:
        """Sheet, row and column."""
        sheet = self._sheets[bisect_right(self._sheets, number - 1, key=lambda sheet: sheet.before) - 1]
        return {"sheet": sheet.name, **sheet.places.place(number - sheet.before, key, pointer)}


class Workbook:
    """The rows of a workbook as ``(number, document)``; rows without any value are left out.

    Going through it raises :class:`~commonshub.core.errors.BadRequest` where it is no workbook, or a sheet is no node
    type's, and :class:`~commonshub.core.errors.TooLarge`.

    Attributes
    ----------
    places, faults, warnings
        As in :class:`.documents.Reading`.
    """

    def __init__(self, body: Body, nodes: Mapping[str, NodeType], bounds: Bounds) -> None:
        self._body = body
        self._nodes = nodes
        self._bounds = bounds
        self._cells = 0
        self._sheets: list[Sheet] = []
        self.places: Places = WorkbookPlaces(self._sheets)
        self.faults: dict[int, list[Fault]] = {}
        self.warnings: dict[int, list[Fault]] = {}

    def __iter__(self) -> Iterator[tuple[int, Document]]:
        self._cells = 0
        self._sheets.clear()
        self.faults.clear()
        try:
            yield from self._documents()
        except CommonsError:
            raise
        # A library reads what anybody may have made up: whatever it stumbles over, the file is at fault.
        except Exception as error:
            reason = str(error)[:200]
            raise BadRequest(f"Unable to parse document: it is no workbook that can be read: {reason}") from error

    def _documents(self) -> Iterator[tuple[int, Document]]:
        import openpyxl

        if self._body.size > self._bounds.bytes:
            raise TooLarge(f"The workbook has {self._body.size} bytes; {self._bounds.bytes} are allowed.")
        data = self._body.bytes()
        if data.startswith(OLD_WORKBOOK):
            raise BadRequest(f"Unable to parse document: {OLD_WORKBOOK_SAID}")
        _check_archive(data, self._bounds.bytes)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        before = 0
        for sheet in book.worksheets:
            if not sheet.title.startswith(REMARK):
                # What a sheet says of its own size may be wrong.
                sheet.reset_dimensions()
                last = before
                for last, document in self._sheet(sheet, before):
                    yield last, document
                before = max(last, before) + 1

    def _sheet(self, sheet: Any, before: int) -> Iterator[tuple[int, Document]]:
        header = _header(sheet, self._bounds.cell_chars)
        width = max(len(header) + 1, _WATCHED_COLUMNS)
        node: NodeType | None = None
        maker: RowMaker | None = None
        for row, cells in enumerate(sheet.iter_rows(max_col=width), 1):
            # The reader fills rows up, and those that are left out, with cells that no file holds.
            self._cells += len(header) + 1 + sum(cell.value is not None for cell in cells[len(header) + 1 :])
            if self._cells > self._bounds.cells:
                raise TooLarge(f"The workbook has more than {self._bounds.cells} cells; send it in parts.")
            if row == 1 or not any(cell.value is not None for cell in cells):
                continue
            if maker is None:
                node = _node(sheet.title, self._nodes)
                names = _names(sheet.title, header)
                self._sheets.append(Sheet(before, sheet.title, TablePlaces(header)))
                maker = RowMaker([column_of(name) for name in names], node, ",")
            texts = [_text(cell) for cell in cells]
            if any(texts):
                yield before + row, self._document(before + row, maker, node, header, cells, texts)

    def _document(
        self,
        number: int,
        maker: RowMaker,
        node: NodeType | None,
        header: Sequence[str],
        cells: Sequence[Any],
        texts: list[str],
    ) -> Document:
        assert node is not None
        document = maker.make(texts[: len(header)])
        given = document.setdefault("type", node.id) or node.id
        document["type"] = node.id
        found = [*self._cell_faults(node, header, cells, texts)]
        if given != node.id:
            message = f"The row says that it is a {given}; its sheet is that of {node.id}."
            found.append(fault("INVALID_TYPE", message, ["type"], value=given, suggestion=meant([node.id])))
        if found:
            self.faults[number] = found
        return document

    def _cell_faults(
        self, node: NodeType, header: Sequence[str], cells: Sequence[Any], texts: list[str]
    ) -> Iterator[Fault]:
        for index, (cell, text) in enumerate(zip(cells, texts, strict=True)):
            if not text:
                continue
            name = header[index] if index < len(header) else ""
            if name.startswith(REMARK):
                continue
            where = {"cell": cell.coordinate, "value": text[:100]}
            keys = [column_of(name.lstrip("*")).name] if name else []
            if not name:
                message = f"Cell {cell.coordinate} stands under no name in the first row."
                yield fault("INVALID_VALUE", message, keys, "cells", **where)
            elif cell.data_type == "f":
                message = f"Cell {cell.coordinate} holds a formula, of which nobody knows what it will come to."
                yield fault("INVALID_VALUE", message, keys, "formula", **where)
            elif cell.data_type == "e":
                message = f"Cell {cell.coordinate} holds the error {text[:20]}."
                yield fault("INVALID_VALUE", message, keys, "formula", **where)
            elif len(text) > self._bounds.cell_chars:
                message = f"Cell {cell.coordinate} has {len(text)} characters, more than {self._bounds.cell_chars}."
                yield fault("INVALID_VALUE", message, keys, "maxLength", **where)
            elif _digits_lost(cell.value, node.properties.get(keys[0])):
                message = f"Cell {cell.coordinate} holds a number with more digits than a spreadsheet keeps."
                yield fault("INVALID_VALUE", message, keys, "digits", **where)


def _digits_lost(value: Any, known: Property | None) -> bool:
    """Whether a number stands where a text belongs, and has more digits than a spreadsheet keeps."""
    if type(value) not in (int, float) or abs(value) < _FIRST_UNKEPT:
        return False
    return known is None or {known.kind, known.item_kind}.isdisjoint(("integer", "number"))


def _check_archive(data: bytes, limit: int) -> None:
    """Refuse what would unzip to more than is allowed; Python's reader gives no more than each part says it has."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
    size = sum(part.file_size for part in parts)
    if size > limit or len(parts) > MAX_PARTS:
        raise TooLarge(f"The workbook has {size} bytes in {len(parts)} parts; {limit} in {MAX_PARTS} are allowed.")


def _header(sheet: Any, cell_chars: int) -> list[str]:
    first = next(sheet.iter_rows(max_row=1, max_col=MAX_COLUMNS), ())
    names = [_text(cell)[:cell_chars] for cell in first]
    while names and not names[-1]:
        names.pop()
    return names


def _names(title: str, header: Sequence[str]) -> list[str]:
    names = [name.lstrip("*") for name in header]
    if not any(names):
        raise BadRequest(f"Unable to parse document: sheet {title!r} has no names of columns in its first row.")
    check_header(names, f"sheet {title!r}: ")
    return names


def _node(title: str, nodes: Mapping[str, NodeType]) -> NodeType:
    name = title.strip()
    found = nodes.get(name)
    if found is None and len(name) == MAX_SHEET_NAME_CHARS:
        whole = [node for id_, node in nodes.items() if id_.startswith(name)]
        found = whole[0] if len(whole) == 1 else None
    if found is None:
        likely = nearest(name, tuple(nodes))
        raise BadRequest(
            f"Unable to parse document: sheet {title!r} is named after no node type. "
            f"{meant(likely) if likely else 'Name each sheet after the type of its rows.'} "
            f"A sheet whose name starts with {REMARK} is not read."
        )
    return found


def _text(cell: Any) -> str:
    """A cell as it would stand in a table of text."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    write = _WRITERS.get(type(value))
    return write(value, cell) if write else str(getattr(value, "text", value))


def _of_float(value: float, _: Any) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _of_datetime(value: datetime, cell: Any) -> str:
    # A date is a moment at midnight; only the format tells which one was meant.
    only_date = value.time() == time() and "h" not in str(cell.number_format).lower()
    return value.date().isoformat() if only_date else value.isoformat()


_WRITERS: Mapping[type, Callable[[Any, Any], str]] = {
    bool: lambda value, _: "true" if value else "false",
    int: lambda value, _: str(value),
    float: _of_float,
    datetime: _of_datetime,
    time: lambda value, _: value.isoformat(),
}
