"""Request bodies as documents.

JSON is an object or a list of objects, and is read as a whole. TSV and CSV are read row by row, with the dictionary at
hand, because a cell is text until the property says what it is.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import orjson

from ..core.dictionary import NodeType, Property
from ..core.errors import BadRequest
from .body import Body
from .entity import Document

JSON, TSV, CSV = "json", "tsv", "csv"
_TYPES = {"text/csv": CSV, "text/tab-separated-values": TSV, "text/tsv": TSV}
_KEY = re.compile(rb'"\s*:')
MAX_DEPTH = 50
MAX_ROW_CHARS = 4 * 2**20
"""Longest row of a table; a row that never ends must not fill the memory."""
_BOM = b"\xef\xbb\xbf"

Convert = Callable[[str], Any]


def document_format(content_type: str) -> str:
    """``json``, ``tsv`` or ``csv``; parameters of the content type do not matter."""
    return _TYPES.get(content_type.partition(";")[0].strip().lower(), JSON)


def parse(body: bytes, content_type: str, nodes: Mapping[str, NodeType]) -> list[Any]:
    """The documents of a short body, in order.

    Raises
    ------
    BadRequest
        As :func:`read`, and for what :class:`Table` finds when it is read.
    """
    return list(read(Body.of(body), content_type, nodes))


def read(body: Body, content_type: str, nodes: Mapping[str, NodeType]) -> Iterable[Any]:
    """The documents of a request's body, in order; they can be gone through again.

    Raises
    ------
    BadRequest
        The body is not UTF-8, not JSON where its content type says so, or has something that cannot be stored.
    """
    kind = document_format(content_type)
    if kind == JSON:
        return _parse_json(body.bytes().removeprefix(_BOM))
    _check_text(body)
    return Table(body, "\t" if kind == TSV else ",", nodes)


def _check_text(body: Body) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    place = 0
    for block in body.blocks():
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError as error:
            raise _not_text(place - held + error.start) from error
        if "\0" in text:
            raise BadRequest("Unable to parse document: it contains NUL characters, which cannot be stored.")
        place += len(block)
    if held := len(decoder.getstate()[0]):
        raise _not_text(place - held)


def _not_text(place: int) -> BadRequest:
    return BadRequest(f"Unable to parse document: byte {place} is not UTF-8.")


def _parse_json(body: bytes) -> list[Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"Unable to parse json: {_python_message(body) or error}") from error
    if rb"\u0000" in body:
        raise BadRequest("Unable to parse json: it contains NUL characters, which cannot be stored.")
    # In JSON a quote before a colon ends a key; where it opens a text that starts with a colon, we look closer in vain.
    if len(_KEY.findall(body)) != _count_keys(value):
        _refuse_duplicates(body)
    documents = value if isinstance(value, list) else [value]
    if b'"*' in body:
        documents = [unstar(each) if isinstance(each, dict) else each for each in documents]
    return documents


def _python_message(body: bytes) -> str | None:
    """The standard library's message, which clients know; None where it finds no fault."""
    try:
        json.loads(body)
    except ValueError as error:
        return str(error)[:300]
    return None


def _count_keys(value: Any) -> int:
    """The number of keys in all objects of a document.

    Raises
    ------
    BadRequest
        Lists and objects are nested deeper than any record can be.
    """
    count = 0
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                count += len(each)
                below += [inner for inner in each.values() if isinstance(inner, dict | list)]
            elif isinstance(each, list):
                below += [inner for inner in each if isinstance(inner, dict | list)]
        if not below:
            return count
        level = below
    raise BadRequest(f"Unable to parse json: it is nested more than {MAX_DEPTH} levels deep.")


def _refuse_duplicates(body: bytes) -> None:
    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise BadRequest(f"Unable to parse json: The document contains duplicate keys: {', '.join(twice)}")
        return found

    json.loads(body, object_pairs_hook=check)


def unstar(document: Document) -> Document:
    """Templates mark required properties with ``*``; they can be sent back as they are."""
    return {key.lstrip("*"): value for key, value in document.items()}


class Column(NamedTuple):
    """What a header cell says: a property, or one key of a link."""

    name: str
    key: str | None


class Table:
    """The rows of a TSV or CSV body as documents; rows without any value are left out.

    Going through it raises :class:`~commonshub.core.errors.BadRequest` where the header is faulty, or a row has more
    cells than the header; the message names the row.
    """

    def __init__(self, body: Body, delimiter: str, nodes: Mapping[str, NodeType]) -> None:
        self._body = body
        self._delimiter = delimiter
        self._nodes = nodes

    def __iter__(self) -> Iterator[Document]:
        lines = _Lines(self._body)
        rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
        try:
            yield from self._documents(lines, rows)
        except csv.Error as error:
            raise BadRequest(f"Unable to parse document: row {rows.line_num}: {error}.") from error

    def _documents(self, lines: "_Lines", rows: Any) -> Iterator[Document]:
        header = [cell.strip().lstrip("*") for cell in next(rows, [])]
        columns = [_column(cell) for cell in header]
        twice = sorted({cell for cell in header if cell and header.count(cell) > 1})
        if twice:
            raise BadRequest(f"Unable to parse document: the header has {', '.join(twice)} more than once.")
        makers: dict[str | None, _RowMaker] = {}
        place = header.index("type") if "type" in header else None
        for cells in rows:
            lines.row_chars = 0
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if len(cells) > len(header) and any(cells[len(header) :]):
                raise BadRequest(
                    f"Unable to parse document: row {rows.line_num} has {len(cells)} cells, the header {len(header)}."
                )
            node = self._nodes.get(cells[place]) if place is not None and place < len(cells) else None
            kind = node.id if node else None
            maker = makers.get(kind)
            if maker is None:
                maker = makers[kind] = _RowMaker(columns, node, self._delimiter)
            yield maker.make(cells)


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


def _column(cell: str) -> Column:
    name, dot, key = cell.partition(".")
    return Column(name, key if dot else None)


class _RowMaker:
    """Makes documents of one node type from rows with one header."""

    def __init__(self, columns: list[Column], node: NodeType | None, delimiter: str) -> None:
        # A comma parts the cells of a CSV, so the targets in one of its cells are parted by another sign.
        self._separator = "," if delimiter == "\t" else "#"
        self._properties: list[tuple[int, str, Convert]] = []
        self._links: list[tuple[int, str, str]] = []
        for index, column in enumerate(columns):
            if column.key is not None:
                self._links.append((index, column.name, column.key))
            elif column.name:
                known = node.properties.get(column.name) if node else None
                self._properties.append((index, column.name, converter(known)))

    def make(self, cells: list[str]) -> Document:
        count = len(cells)
        document: Document = {}
        for index, name, convert in self._properties:
            cell = cells[index] if index < count else ""
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
        return int(cell)
    except ValueError:
        return cell


def _number(cell: str) -> Any:
    try:
        value = float(cell)
    except ValueError:
        return cell
    if value != value or value in (float("inf"), float("-inf")):
        return cell
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _boolean(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell.lower(), cell)


_CONVERTERS: Mapping[str, Convert] = {"integer": _integer, "number": _number, "boolean": _boolean, "string": str}
