"""Reading an index: one immutable DuckDB file, opened read-only."""

# ruff: noqa: S608 - names come from the catalogue and are quoted, values are bound

import json
import shutil
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, BinaryIO

import duckdb
import orjson

from commonshub.core.errors import BadRequest, Unavailable

from ..catalog import load, table_of
from ..requests import (
    MAX_LISTED,
    MAX_ROW_BYTES,
    TOO_LARGE,
    TOO_MANY_LISTED,
    Bins,
    Cardinality,
    Count,
    Order,
    Parts,
    Question,
    Rows,
    Run,
    Terms,
    ValueCount,
)
from ..sql.names import quote
from .bins import bins
from .facets import cardinality, terms, value_count
from .measures import source, total
from .parquet import copied
from .parts import parts
from .patterns import matching
from .predicate import Binder

# How many rows are weighed at a time.
_PAGE_ROWS = 1_000
STRETCH_ROWS = 122_880
"""Rows that DuckDB stores and skips together."""


Execute = Callable[[str, dict[str, Any]], duckdb.DuckDBPyConnection]
"""Runs a statement with its values."""


class DuckReader:
    """An open index; see :class:`commonshub.explore.requests.Reader`.

    Parameters
    ----------
    file
        The index.
    memory_bytes
        Memory that DuckDB may take; larger intermediate results go to disk.
    timeout_s
        A question that takes longer is given up.
    max_buckets
        Most buckets of one facet.
    cores
        Processor cores that one question may use.
    """

    def __init__(self, file: Path, memory_bytes: int, timeout_s: float, max_buckets: int, cores: int = 1) -> None:
        limits = {"threads": str(cores), "memory_limit": f"{memory_bytes}B"}
        self._connection = duckdb.connect(
            str(file), read_only=True, config={**limits, "autoinstall_known_extensions": "false"}
        )
        # Its own folder is all that DuckDB may touch besides the index, whatever a statement says.
        self._folder = mkdtemp(prefix="commonshub-explore-")
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._connection.execute("set allowed_directories = [$folder]", {"folder": self._folder})
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set lock_configuration = true")
        self._timeout_s = timeout_s
        self._max_buckets = max_buckets
        rows = self._connection.execute("select run, catalog from _run").fetchall()
        paths = self._connection.execute("select path from _path").fetchall()
        self.run = Run(rows[0][0], load(json.loads(rows[0][1])), frozenset(path for (path,) in paths))

    def close(self) -> None:
        """Give the file and the memory back, once no question is being answered."""
        self._connection.close()

    @contextmanager
    def _executing(self) -> Iterator[Execute]:
        """What runs statements one after another, until the time of all together is over."""
        cursor = self._connection.cursor()
        end = time.monotonic() + self._timeout_s
        timer = threading.Timer(self._timeout_s, cursor.interrupt)
        timer.daemon = True
        timer.start()

        def execute(statement: str, values: dict[str, Any]) -> duckdb.DuckDBPyConnection:
            # DuckDB forgets an interruption that comes between two statements, or while it plans one.
            if time.monotonic() > end:
                raise duckdb.InterruptException
            return cursor.execute(statement, values)

        try:
            with _memory_told():
                yield execute
        except duckdb.InterruptException as error:
            raise Unavailable(f"The query took longer than {self._timeout_s:g} s: narrow the filter.") from error
        finally:
            timer.cancel()
            cursor.close()

    def answer(self, questions: list[Question]) -> list[Any]:
        """The answers, in order."""
        with self._executing() as execute:
            left = MAX_LISTED

            def run(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
                nonlocal left
                rows = execute(statement, values).fetchmany(left + 1)
                left -= len(rows)
                if left < 0:
                    raise BadRequest(TOO_MANY_LISTED)
                return rows

            facets = [question for question in questions if isinstance(question, Terms)]
            counted = iter(terms(facets, run, self._max_buckets)) if facets else iter(())
            answers: list[Any] = []
            room = MAX_ROW_BYTES
            for question in questions:
                match question:
                    case Terms():
                        answers.append(next(counted))
                    case Rows():
                        found, room = _documents(execute, question, room)
                        answers.append(found)
                    case Count(scope):
                        answers.append(total(scope, run))
                    case ValueCount():
                        answers.append(value_count(question, run))
                    case Cardinality():
                        answers.append(cardinality(question, run))
                    case Bins():
                        answers.append(bins(question, run, self._max_buckets))
                    case Parts():
                        answers.append(parts(question, run, self._max_buckets))
            return answers

    def scan(self, rows: Rows, chunk_rows: int) -> Iterator[list[dict[str, Any]]]:
        """The documents of `rows`, a chunk at a time; the time limit does not apply.

        Without an order they come by their numbers, a stretch of the table after another, so that neither a sort nor
        a result is ever held whole.
        """
        with _memory_told(), closing(self._connection.cursor()) as cursor:
            for within in [None] if rows.order else self._stretches(cursor, rows):
                cursor.execute(*_select(rows, within))
                names = [column[0] for column in cursor.description or ()]
                while chunk := cursor.fetchmany(chunk_rows):
                    yield [dict(zip(names, row, strict=True)) for row in chunk]

    def parquet(self, rows: Rows) -> BinaryIO:
        """The documents of `rows` as a Parquet file that is gone when it is closed; the time limit does not apply."""
        file = Path(self._folder) / f"{uuid.uuid4()}.parquet"
        try:
            with _memory_told(), closing(self._connection.cursor()) as cursor:
                copied(cursor, *_select(rows), file)
            return file.open("rb")
        finally:
            file.unlink(missing_ok=True)

    def _stretches(self, cursor: duckdb.DuckDBPyConnection, rows: Rows) -> Iterator[range]:
        table = quote(table_of(rows.scope.doc_type.name))
        (last,) = cursor.execute(f'select max("_rid") from {table}').fetchall()[0]
        for start in range(0, 0 if last is None else last + 1, STRETCH_ROWS):
            yield range(start, start + STRETCH_ROWS)

    def matching(self, names: list[str], pattern: str) -> list[str]:
        """The `names` that a regular expression finds."""
        with closing(self._connection.cursor()) as cursor:
            return matching(cursor, names, pattern)


@contextmanager
def _memory_told() -> Iterator[None]:
    """Tell that memory is short as what it is: of no fault, and perhaps not for long."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise Unavailable("The query needs more memory than ExploreSettings.query_memory_bytes allows.") from error


def _documents(execute: Execute, rows: Rows, room: int) -> tuple[list[dict[str, Any]], int]:
    """The documents, and the bytes that are left of `room` for others."""
    cursor = execute(*_select(rows))
    names = [column[0] for column in cursor.description or ()]
    found: list[dict[str, Any]] = []
    while chunk := cursor.fetchmany(_PAGE_ROWS):
        documents = [dict(zip(names, row, strict=True)) for row in chunk]
        room -= len(orjson.dumps(documents))
        if room < 0:
            raise BadRequest(TOO_LARGE)
        found += documents
    return found, room


def _select(rows: Rows, within: range | None = None) -> tuple[str, dict[str, Any]]:
    """The statement of a page or of all rows. The row number breaks ties, so that pages never overlap.

    A page is found by the fields of its filter and its order alone, and only its own documents are read whole.
    """
    binder = Binder()
    doc_type = rows.scope.doc_type
    names = doc_type.names if rows.names is None else rows.names
    columns = ", ".join(f"d.{quote(name)}" for name in names) or 'd."_rid"'
    order = "".join(f"{_order(each, doc_type.name)}, " for each in rows.order)
    found = source(rows.scope, (), binder)
    order += 'd."_rid"'
    if within is not None:
        found += f' and d."_rid" >= {within.start} and d."_rid" < {within.stop}'
    if rows.first is None:
        return f"select {columns} {found} order by {order}", binder.values
    page = f"select d.rowid {found} order by {order} limit {int(rows.first)} offset {int(rows.offset)}"
    table = quote(table_of(doc_type.name))
    return f"select {columns} from {table} d where d.rowid in ({page}) order by {order}", binder.values


def _order(order: Order, doc_type: str) -> str:
    """A sort key; of a list or a nest the smallest value counts, or the largest when descending."""
    pick = "max" if order.descending else "min"
    name = quote(order.place.field.name)
    key = f"list_{pick}({{}}.{name})" if order.place.field.array else f"{{}}.{name}"
    if order.place.nests:
        table = quote(table_of(doc_type, order.place.nests))
        key = f'(select {pick}({key.format("s")}) from {table} s where s."_rid" = d."_rid")'
    else:
        key = key.format("d")
    return f"{key} {'desc' if order.descending else 'asc'} nulls last"
