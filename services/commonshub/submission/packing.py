"""Exports of several node types, and workbooks: written to a file first, since their form needs all of it.

Gen3's form: a table of one type alone is that table, several are an archive (``.tar.gz``) of tables; JSON is one list
of all records, each with its type, which can be submitted as it is.
"""

import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, NamedTuple

import orjson
import sqlalchemy as sa

from ..core.dictionary import Dictionary, NodeType
from ..core.errors import NotFound
from . import sheets
from .descent import Descent
from .export import Row, Writer, pages, rows_by_type
from .opening import find_project
from .sources import Live, Source
from .store import Store

MEMORY_BYTES = 2**20
"""A longer file is one on the disk."""


class Part(NamedTuple):
    """The records of one type, some at a time."""

    node: NodeType
    pages: Iterable[Sequence[Row]]


class Wanted(NamedTuple):
    """What is to be exported.

    Parameters
    ----------
    label
        A node type; empty where there are `ids`.
    below
        Whether with all records below those of `ids`, of types of `category` where one is given.
    page_rows
        Records that are read at a time.
    timeout_s
        Time that one step down may take, in seconds.
    """

    label: str
    ids: Sequence[str]
    form: str
    without_id: bool
    below: bool
    category: str
    page_rows: int
    timeout_s: int = 3600


class Packed(NamedTuple):
    """A file with an export."""

    file: BinaryIO
    name: str
    form: str


def pack(connection: sa.Connection, store: Store, program: str, code: str, wanted: Wanted) -> Packed:
    """Write an export to a file, from the beginning of which it can then be read.

    Raises
    ------
    NotFound
        There is no such project, or none of the records in it.
    BadRequest
        A workbook cannot hold it.
    """
    if wanted.label:
        return pack_type(connection, Live(store.graph, find_project(store, connection, program, code)), wanted)
    parts = _parts(connection, store, program, code, wanted)
    if not parts:
        raise NotFound(f"Unable to find {', '.join(wanted.ids[:20])}")
    return _packed(store.graph.dictionary, parts, wanted)


def pack_type(connection: sa.Connection, source: Source, wanted: Wanted) -> Packed:
    """The same of all records of one type in a source.

    Raises
    ------
    BadRequest
        A workbook cannot hold it.
    """
    node = source.dictionary.nodes[wanted.label]
    return _packed(source.dictionary, [Part(node, pages(connection, source, node, wanted.page_rows))], wanted)


def pack_blocks(blocks: Iterable[bytes], name: str, form: str) -> Packed:
    """Write whatever comes in blocks to a file, from the beginning of which it can then be read."""
    with _filling() as file:
        _put(file, blocks)
    return Packed(file, name, form)


def _packed(dictionary: Dictionary, parts: Sequence[Part], wanted: Wanted) -> Packed:
    with _filling() as file:
        form = _write(dictionary, parts, wanted, file)
    return Packed(file, parts[0].node.id if len(parts) == 1 else "export", form)


@contextmanager
def _filling() -> Iterator[BinaryIO]:
    """A file that is open at its beginning afterwards, unless what fills it fails."""
    with ExitStack() as failing:
        file = failing.enter_context(_file())
        yield file
        file.seek(0)
        failing.pop_all()


def _file() -> BinaryIO:
    return tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # type: ignore[return-value]


def _parts(connection: sa.Connection, store: Store, program: str, code: str, wanted: Wanted) -> list[Part]:
    graph, nodes = store.graph, store.graph.dictionary.nodes
    project, rows = rows_by_type(connection, store, program, code, wanted.ids)
    if not wanted.below or not rows:
        return [Part(nodes[kind], [those]) for kind, those in rows.items() if those]
    connection.execute(sa.text(f"set local statement_timeout = {1000 * wanted.timeout_s}"))
    picked = {kind: [row.id for row in those] for kind, those in rows.items()}
    below = Descent(connection, graph, project, picked, wanted.category)
    return [Part(nodes[kind], below.pages(nodes[kind], wanted.page_rows)) for kind in below.kinds()]


def _write(dictionary: Dictionary, parts: Sequence[Part], wanted: Wanted, file: BinaryIO) -> str:
    if wanted.form == "xlsx":
        _write_workbook(dictionary, parts, wanted, file)
    elif wanted.form == "json":
        _put(file, _listed(dictionary, parts, wanted))
    elif len(parts) == 1:
        _put(file, _table(dictionary, parts[0], wanted))
    else:
        _write_archive(dictionary, parts, wanted, file)
        return "tar.gz"
    return wanted.form


def _put(file: BinaryIO, blocks: Iterable[bytes]) -> None:
    # One by one, or else all would be in memory before any goes to the disk.
    for block in blocks:
        file.write(block)


def _write_workbook(dictionary: Dictionary, parts: Sequence[Part], wanted: Wanted, file: BinaryIO) -> None:
    book = sheets.Workbook(dictionary, wanted.without_id)
    try:
        for part in parts:
            book.add(part.node, part.pages)
    finally:
        # Also where it will not be sent: this alone removes what the library has written to the disk so far.
        book.save(file)


def _listed(dictionary: Dictionary, parts: Sequence[Part], wanted: Wanted) -> Iterator[bytes]:
    before = b"["
    for part in parts:
        writer = Writer(dictionary, part.node, wanted.form, wanted.without_id)
        for rows in part.pages:
            for row in rows:
                yield before + orjson.dumps(writer.document(row))
                before = b","
    yield b"]"


def _table(dictionary: Dictionary, part: Part, wanted: Wanted) -> Iterator[bytes]:
    writer = Writer(dictionary, part.node, wanted.form, wanted.without_id)
    yield writer.head()
    for rows in part.pages:
        yield writer.rows(rows)


def _write_archive(dictionary: Dictionary, parts: Sequence[Part], wanted: Wanted, file: BinaryIO) -> None:
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for part in parts:
            with _file() as table:
                _put(table, _table(dictionary, part, wanted))
                entry = tarfile.TarInfo(f"{part.node.id}.{wanted.form}")
                entry.size = table.tell()
                table.seek(0)
                tar.addfile(entry, table)
