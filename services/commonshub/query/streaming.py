"""Long answers, which are on their way while the database still reads.

A thread takes the rows of the one statement from a cursor, writes them in the form asked for and hands them on in
blocks; the event loop sends them. No more than a few blocks wait, so that neither side gets far ahead, and memory does
not grow with the answer.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter

import orjson
import sqlalchemy as sa

from commonshub.core.database import Database
from commonshub.core.errors import Unavailable

from . import store
from .formats import blocks
from .planner import Plan
from .store import Part

Rows = Iterator[Part]
Write = Callable[[Rows], Iterable[bytes]]
"""How the rows of a plan with long lists are written."""
_WAITING = 4
# Items that are written at a time: so many, and fewer where they have more than so many characters.
_TOGETHER, _CHARS = 100, 2**16
_OPEN, _CLOSE = b"[", b"]"
_NO_MORE: tuple[None, Rows] = (None, iter(()))


class Gone(Exception):
    """Nobody wants the rest of the answer."""


class Stream:
    """The answer of a plan whose statement gives the items of long lists row by row.

    Parameters
    ----------
    most_s
        After so many seconds an answer is broken off: one who reads slowly holds a connection to the database.
    """

    def __init__(self, database: Database, plan: Plan, write: Write, most_s: float) -> None:
        self._database = database
        self._plan = plan
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._blocks: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        self._closed = False
        self._most_s = most_s

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """The answer, in blocks.

        Raises
        ------
        TooLarge, Unavailable
            As :func:`.store.answers`, perhaps in the middle.
        """
        work = asyncio.ensure_future(self._database.run(self._read))
        # The end, come what may: a fault is told once everything before it has been taken.
        work.add_done_callback(lambda _: self._wake())
        try:
            while (block := await self._blocks.get()) is not None:
                yield block
            await work
        finally:
            self._closed = True
            self._drain()
            await asyncio.gather(work, return_exceptions=True)

    def _wake(self) -> None:
        if not self._closed:
            self._end = asyncio.ensure_future(self._blocks.put(None))

    def _drain(self) -> None:
        while not self._blocks.empty():
            self._blocks.get_nowait()

    # -- on a thread -----------------------------------------------------------

    def _read(self, connection: sa.Connection) -> None:
        end = time.monotonic() + self._most_s
        for block in blocks(self._write(store.items(connection, self._plan))):
            left = end - time.monotonic()
            if left <= 0:
                raise Unavailable("The answer took too long to be sent; narrow it, or page it with first and after.")
            self._put(block, left)

    def _put(self, block: bytes, left_s: float) -> None:
        if self._closed:
            raise Gone
        done = asyncio.run_coroutine_threadsafe(self._blocks.put(block), self._loop)
        try:
            done.result(left_s)
        except TimeoutError as error:
            done.cancel()
            raise Unavailable("The answer was read too slowly.") from error


def parted(plan: Plan, rows: Rows) -> tuple[list[str | None], Rows]:
    """The columns that come as a whole, as a row of all columns, and what is left: the items of the long lists.

    Raises
    ------
    TooLarge
        As :func:`.store.answers`.
    """
    count = sum(isinstance(piece, int) for piece in plan.template)
    row: list[str | None] = [None] * count
    size = 0
    for number, text in islice(rows, count - len(plan.listed)):
        row[number] = text
        size += len((text or "").encode())
        if size > plan.max_bytes:
            raise store.too_large(size, plan)
    return row, rows


def document(plan: Plan, rows: Rows) -> Iterator[bytes]:
    """The rows of a plan as the JSON document that holds them."""
    row, rest = parted(plan, rows)
    lists = groupby(rest, itemgetter(0))
    number, items = next(lists, _NO_MORE)
    yield b'{"data":'
    for piece in plan.template:
        if isinstance(piece, bytes):
            yield piece
        elif piece not in plan.listed:
            yield (row[piece] or "null").encode()
        else:
            yield _OPEN
            if number == piece:
                separator = ""
                for some in _together(item or "null" for _, item in items):
                    yield f"{separator}{','.join(some)}".encode()
                    separator = ","
                number, items = next(lists, _NO_MORE)
            yield _CLOSE
    assert number is None, "lists come in their order"
    yield b',"errors":' + orjson.dumps(plan.errors) + b"}" if plan.errors else b"}"


def _together(items: Iterable[str]) -> Iterator[list[str]]:
    some: list[str] = []
    chars = 0
    for item in items:
        some.append(item)
        chars += len(item)
        if chars >= _CHARS or len(some) >= _TOGETHER:
            yield some
            some, chars = [], 0
    if some:
        yield some
