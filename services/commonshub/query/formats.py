"""Rows of a table in the formats that they are sent in.

In TSV and CSV a cell without a value is empty, as is one with an empty text; a list is its items with commas between
them, and anything else that is no single value is JSON. What is a formula to a spreadsheet stays as it is, as in every
table that the commons gives out to be sent back. NDJSON and Parquet keep values and types.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import orjson

from commonshub.core.cells import cell, table_text
from commonshub.core.errors import BadRequest

from .table import Column, Kind, Row, Table

CONTENT_TYPES = {
    "tsv": "text/tab-separated-values; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
"""The formats of tables."""

JSON = "json"
BLOCK_BYTES = 2**17
_DELIMITERS = {"tsv": "\t", "csv": ","}
_PLAIN = frozenset([str, int, float, bool, type(None)])
_CHUNK_ROWS = 1000
_MOST = 2**63


def check(text: str) -> str:
    """A format by name.

    Raises
    ------
    BadRequest
        There is no such format.
    """
    if text != JSON and text not in CONTENT_TYPES:
        raise BadRequest(f"format must be one of {', '.join([JSON, *CONTENT_TYPES])}, not {text[:40]!r}.")
    return text


def encode(table: Table, rows: Iterator[Row], form: str) -> Iterator[bytes]:
    """Rows as TSV, CSV or NDJSON, some at a time."""
    names = [column.name for column in table.columns]
    delimiter = _DELIMITERS.get(form)
    if delimiter:
        yield table_text([names], delimiter).encode()
    while some := list(islice(rows, _CHUNK_ROWS)):
        if delimiter:
            yield table_text(map(_cells, some), delimiter).encode()
        else:
            yield b"".join(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n" for row in some)


def blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at least :data:`BLOCK_BYTES`, but for the last one."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _cells(row: Row) -> Row:
    return [each if each.__class__ in _PLAIN else _text(each) for each in row]


def _text(value: Any) -> str:
    """A list or an object as a cell."""
    if isinstance(value, list) and all(each.__class__ in _PLAIN for each in value):
        return cell(value)
    return orjson.dumps(value).decode()


def typed(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[bytes]:
    """Rows as lists in JSON, a line each, whose values have the types of their columns.

    Raises
    ------
    BadRequest
        A value has another type, and cannot be had as that of its column.
    """
    fits = [_fit(column) for column in columns]
    for row in rows:
        for place, fit in enumerate(fits):
            if row[place] is not None:
                row[place] = fit(row[place])
        yield orjson.dumps({str(place): value for place, value in enumerate(row)}) + b"\n"


def _fit(column: Column) -> Callable[[Any], Any]:
    one = _FITS[column.kind]

    def fit(value: Any) -> Any:
        if column.many:
            items = value if isinstance(value, list) else [value]
            return [None if each is None else fitted(each) for each in items]
        return fitted(value)

    def fitted(value: Any) -> Any:
        try:
            return one(value)
        except ValueError as error:
            shown = orjson.dumps(value).decode()[:40]
            raise BadRequest(
                f"{column.name} of a record is {shown}, which is no {column.kind}: a dictionary before this one "
                "allowed it. Ask for TSV, CSV or NDJSON, which can hold it."
            ) from error

    return fit


def _string(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _integer(value: Any) -> int:
    if isinstance(value, bool | str | list | dict) or value != int(value) or not -_MOST <= value < _MOST:
        raise ValueError(value)
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool | str | list | dict):
        raise ValueError(value)
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


_FITS: dict[Kind, Callable[[Any], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
