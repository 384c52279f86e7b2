"""Request bodies as documents.

JSON is an object or a list of objects, and is read as a whole. TSV and CSV are read row by row: see :mod:`.tables`.
Several documents in one body are those of :mod:`.bulk`.
"""

import base64
import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import orjson

from ..core.dictionary import NodeType
from ..core.errors import BadRequest
from . import bulk
from .body import Body
from .entity import Document, Fault
from .places import JsonPlaces, Places, pointer_of
from .tables import Table
from .workbook import OLD_WORKBOOK, OLD_WORKBOOK_SAID, Bounds, Workbook

JSON, TSV, CSV, XLSX, BULK = "json", "tsv", "csv", "xlsx", "bulk"
_TYPES = {
    "text/csv": CSV,
    "text/tab-separated-values": TSV,
    "text/tsv": TSV,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": XLSX,
    # No client sends it: it stands for what comes to the path of bulk submissions.
    "application/vnd.commonshub.bulk+json": BULK,
}
CONTENT_TYPES = {JSON: "application/json", **{kind: name for name, kind in _TYPES.items()}}
_SPACE = b" \t\n\r"
MAX_DEPTH = 50
_NESTED = f"it is nested more than {MAX_DEPTH} levels deep."
_BOM = b"\xef\xbb\xbf"
_ZIP = b"PK\x03\x04"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)


@dataclass(frozen=True)
class Limits:
    """What is read at most.

    Parameters
    ----------
    cell_chars
        Characters of one cell or text.
    workbook_bytes, workbook_cells
        See :class:`.workbook.Bounds`.
    """

    cell_chars: int = 131_072
    workbook_bytes: int = 128 * 2**20
    workbook_cells: int = 5_000_000


class Reading(Protocol):
    """A body being read: ``(number, document)`` in order, again from the beginning as often as it is gone through.

    Attributes
    ----------
    places
        What the numbers mean; known when the first document is.
    faults, warnings
        What is to be said of records as they were written, by their numbers; there as soon as the document is. A
        record with a fault is not to be looked at any further: who knows which cell is which?
    """

    places: Places
    faults: dict[int, list[Fault]]
    warnings: dict[int, list[Fault]]

    def __iter__(self) -> Iterator[tuple[int, Any]]: ...


class Records:
    """Documents that are in memory, as a :class:`Reading`.

    Parameters
    ----------
    numbers
        By default the index of each.
    """

    def __init__(
        self, documents: list[Any], places: Places | None = None, numbers: Sequence[int] | None = None
    ) -> None:
        self.documents = documents
        self.numbers = range(len(documents)) if numbers is None else numbers
        self.places: Places = places or JsonPlaces(single=False)
        self.faults: dict[int, list[Fault]] = {}
        self.warnings: dict[int, list[Fault]] = {}

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        return zip(self.numbers, self.documents, strict=True)


Read = Callable[[Body, str], Reading]
"""How a service reads bodies of a content type; :func:`read` with the service's own dictionary and limits."""


def document_format(content_type: str) -> str:
    """``json``, ``tsv``, ``csv`` or ``xlsx``; parameters of the content type do not matter."""
    return _TYPES.get(content_type.partition(";")[0].strip().lower(), JSON)


def read(body: Body, content_type: str, nodes: Mapping[str, NodeType], limits: Limits) -> Reading:
    """Read a request's body.

    Raises
    ------
    BadRequest
        The body is not UTF-8, not JSON where its content type says so, or has something that cannot be stored.
    """
    kind = document_format(content_type)
    if kind == XLSX:
        return Workbook(body, nodes, Bounds(limits.workbook_bytes, limits.workbook_cells, limits.cell_chars))
    _check_encoding(body, content_type)
    if content_type.lower().startswith("multipart/"):
        raise BadRequest("Unable to parse document: it comes as a form; send the file itself as the body.")
    if kind == BULK:
        return bulk.parse(
            body.bytes().removeprefix(_BOM),
            lambda data, form: read(Body.of(data), CONTENT_TYPES[form], nodes, limits),
        )
    if kind == JSON:
        return _parse_json(body.bytes().removeprefix(_BOM), limits)
    _check_text(body)
    return Table(body, "\t" if kind == TSV else ",", nodes, limits.cell_chars)


def _check_encoding(body: Body, content_type: str) -> None:
    named = _CHARSET.search(content_type)
    if named is not None and named[1].lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise BadRequest(f"Unable to parse document: its charset is {named[1][:40]!r}; save and send it as UTF-8.")
    begin = next(body.blocks(), b"")
    if begin.startswith(_UTF16):
        raise BadRequest("Unable to parse document: bytes 0 and 1 say that it is UTF-16; save and send it as UTF-8.")
    if begin.startswith(OLD_WORKBOOK):
        raise BadRequest(f"Unable to parse document: {OLD_WORKBOOK_SAID}")
    if begin.startswith(_ZIP):
        raise BadRequest(
            "Unable to parse document: it is a workbook or another archive; send a workbook (.xlsx) with the content "
            f"type {CONTENT_TYPES[XLSX]}."
        )


def _check_text(body: Body) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    place = 0
    for block in body.blocks():
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            raise _not_text(body, place - held + error.start) from error
        if (zero := block.find(b"\0")) >= 0:
            line = _line(body, place + zero)
            raise BadRequest(f"Unable to parse document: line {line} contains NUL characters, which cannot be stored.")
        place += len(block)
    if held := len(decoder.getstate()[0]):
        raise _not_text(body, place - held)


def _not_text(body: Body, place: int) -> BadRequest:
    return BadRequest(
        f"Unable to parse document: byte {place} is not UTF-8 (line {_line(body, place)}); save and send it as UTF-8."
    )


def _line(body: Body, place: int) -> int:
    """The line of a byte, from 1."""
    line = 1
    for block in body.blocks():
        line += block.count(b"\n", 0, place)
        place -= len(block)
        if place <= 0:
            break
    return line


def _parse_json(body: bytes, limits: Limits) -> Records:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        hint = ""
        if body.partition(b"\n")[0].strip().startswith((b"type\t", b"*type\t", b"type,", b"*type,")):
            hint = f" Send a table with the content type {CONTENT_TYPES[TSV]} or {CONTENT_TYPES[CSV]}."
        raise BadRequest(f"Unable to parse json: {_python_message(body) or error}{hint}") from error
    if rb"\u0000" in body:
        raise BadRequest("Unable to parse json: it contains NUL characters, which cannot be stored.")
    # In JSON a quote before a colon ends a key; where it opens a text that starts with a colon, we look closer in vain.
    if body.translate(None, _SPACE).count(b'":') != _count_keys(value):
        json.loads(body, object_pairs_hook=_unique)
    if _may_hold_long_text(body, limits.cell_chars):
        _refuse_long_texts(value, limits.cell_chars)
    documents = value if isinstance(value, list) else [value]
    if b'"*' in body:
        documents = [unstar(each) if isinstance(each, dict) else each for each in documents]
    return Records(documents, JsonPlaces(not isinstance(value, list)))


def _may_hold_long_text(body: bytes, limit: int) -> bool:
    """Whether there can be a text of more than `limit` characters, told from where the quotes are."""
    if len(body) <= limit:
        return False
    if b'\\"' in body:
        return True
    place = 0
    while place + limit < len(body):
        quote = body.rfind(b'"', place, place + limit + 1)
        if quote < place:
            return True
        place = quote + 1
    return False


def _refuse_long_texts(value: Any, limit: int) -> None:
    todo: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    for steps, each in todo:
        if isinstance(each, str) and len(each) > limit:
            raise BadRequest(
                f"Unable to parse json: the text at {pointer_of(steps)} has {len(each)} characters, more than {limit}."
            )
        if isinstance(each, dict):
            todo += [((*steps, key), inner) for key, inner in each.items()]
        elif isinstance(each, list):
            todo += [((*steps, index), inner) for index, inner in enumerate(each)]


def _python_message(body: bytes) -> str | None:
    """The standard library's message, which clients know; None where it finds no fault."""
    try:
        json.loads(body)
    except ValueError as error:
        return str(error)[:300]
    except RecursionError:
        return _NESTED
    return None


def _count_keys(value: Any) -> int:
    """The number of keys in all objects of a document.

    Raises
    ------
    BadRequest
        Lists and objects are nested deeper than any record can be.
    """
    count = 0
    inner: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        # A reader of JSON makes no other kinds of either, and this is by far the quickest question.
        objects, lists = [each for each in inner if type(each) is dict], [each for each in inner if type(each) is list]
        if not objects and not lists:
            return count
        count += sum(map(len, objects))
        inner = [*chain.from_iterable(map(dict.values, objects)), *chain.from_iterable(lists)]
    raise BadRequest(f"Unable to parse json: {_NESTED}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values.

    Raises
    ------
    BadRequest
        A key comes twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BadRequest(f"Unable to parse json: The document contains duplicate keys: {', '.join(twice)}")
    return found


def kept(body: bytes, kind: str) -> str:
    """A body as text that a log can keep; what is none is written in base64."""
    return base64.b64encode(body).decode() if kind == XLSX else body.decode(errors="replace")


def unkept(text: str, kind: str) -> bytes:
    """The body that :func:`kept` has made a text of."""
    return base64.b64decode(text) if kind == XLSX else text.encode()


def unstar(document: Document) -> Document:
    """Templates mark required properties with ``*``; they can be sent back as they are."""
    return _unique([(key.lstrip("*"), value) for key, value in document.items()])
