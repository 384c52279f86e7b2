"""Pages of a list that are read before they are asked for.

Who reads a list by GUID takes a page, works on it, and asks for the page after its last record. PostgreSQL can put that
page together in the meantime.

Vocabulary
----------
reader
    Whoever asks for the page that follows one he was given.
view
    What of the database a statement sees, as PostgreSQL names it. Statements with the same view see the same.
turn
    Where a page ends and the next one begins. Of a list of everything the index of GUIDs tells it in a fraction of the
    time that the page takes, so that two pages can be put together at once.
page ahead
    The page after a reader's. It is answered with only where the view is still the same when it is asked for, so
    nobody can tell that it was read before; else the page is read again, and for a while no other is read ahead.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, NamedTuple

from commonshub.core.tasks import cancel

from .filters import Filter


class Page(NamedTuple):
    """Records of a list.

    Parameters
    ----------
    view
        What the statement saw.
    number
        How many they are.
    last
        GUID of the last one.
    text
        A JSON list of them.
    """

    view: str
    number: int
    last: str | None
    text: str


Task = asyncio.Task[Page]

# Pages that are read ahead for one reader: PostgreSQL works on one while he takes the other.
DEPTH = 2


class Begun(NamedTuple):
    """A page ahead.

    Parameters
    ----------
    page
        The page, or what reads it.
    turn
        The GUID of its last record, or what looks for it; None where no page follows.
    end
        What leaves it when nobody has asked for it in time.
    """

    page: Task
    turn: asyncio.Task[str | None]
    end: asyncio.TimerHandle


class Ahead:
    """Reads pages for one process, some of them ahead.

    Parameters
    ----------
    read
        Reads the page of a filter.
    turn
        Looks for the last GUID of the page of a filter that lets everything pass.
    view
        Tells what is seen now.
    most
        Pages ahead that are kept, and readers that are known. Where so many are kept no other is read.
    life_s
        How long a page ahead is kept and, after one was of no use, no other is read, in seconds.
    """

    def __init__(
        self,
        read: Callable[[Filter], Coroutine[Any, Any, Page]],
        turn: Callable[[Filter], Coroutine[Any, Any, str | None]],
        view: Callable[[], Coroutine[Any, Any, str]],
        most: int,
        life_s: float,
    ) -> None:
        self._read = read
        self._turn = turn
        self._view = view
        self._most = most
        self._life_s = life_s
        self._expected: OrderedDict[bytes, None] = OrderedDict()
        self._begun: dict[bytes, Begun] = {}
        self._useless_at = float("-inf")

    async def page(self, wanted: Filter) -> Page:
        """The records that pass a filter."""
        name = wanted.digest()
        reads_on = self._expected.pop(name, name) is None
        begun = self._take(name)
        page = (begun and await self._still_true(begun)) or await self._read(wanted)
        following = _following(wanted, page)
        if following:
            self._expect(following)
        if following and reads_on:
            self._prepare(following, DEPTH)
        return page

    async def _still_true(self, begun: Task) -> Page | None:
        """A page ahead, unless something was written since it was read."""
        view, _ = await asyncio.gather(self._view(), asyncio.wait([begun]))
        # What went wrong is told to the reader if it does so again.
        if not _failed(begun) and begun.result().view == view:
            return begun.result()
        self._useless_at = asyncio.get_running_loop().time()
        # What others wait for was read before the same write.
        self._leave_all()
        return None

    def _expect(self, following: Filter) -> None:
        """Know whoever asks for this page for a reader."""
        self._expected[following.digest()] = None
        while len(self._expected) > self._most:
            self._expected.popitem(last=False)

    def _prepare(self, wanted: Filter, pages: int) -> None:
        """Begin to read a page, and then those after it, so many in all, unless too many are kept already."""
        name = wanted.digest()
        begun = self._begun.get(name) or self._begin(name, wanted)
        if begun and pages > 1:
            begun.turn.add_done_callback(lambda turn: self._go_on(turn, wanted, pages - 1))

    def _begin(self, name: bytes, wanted: Filter) -> Begun | None:
        loop = asyncio.get_running_loop()
        if len(self._begun) >= self._most or loop.time() - self._useless_at <= self._life_s:
            return None
        page = loop.create_task(self._read(wanted))
        turn = loop.create_task(self._turn(wanted) if wanted.of_everything else _last(wanted, page))
        for task in (page, turn):
            task.add_done_callback(_failed)
        begun = self._begun[name] = Begun(page, turn, loop.call_later(self._life_s, self._leave, name))
        return begun

    def _go_on(self, turn: asyncio.Task[str | None], wanted: Filter, pages: int) -> None:
        if not _failed(turn) and turn.result() is not None:
            self._prepare(replace(wanted, start=turn.result()), pages)

    def _take(self, name: bytes) -> Task | None:
        """A page ahead, which is no longer kept."""
        begun = self._begun.pop(name, None)
        if begun is None:
            return None
        # A later page with this name has a time of its own.
        begun.end.cancel()
        return begun.page

    def _leave(self, name: bytes) -> None:
        if page := self._take(name):
            page.cancel()

    def _leave_all(self) -> list[Task]:
        left = [begun.page for begun in self._begun.values()]
        for name in list(self._begun):
            self._leave(name)
        return left

    async def close(self) -> None:
        """Leave all pages that nobody has asked for."""
        self._most = 0
        await cancel(*self._leave_all())


def _following(wanted: Filter, page: Page) -> Filter | None:
    """What a reader of this page asks for next; None where there is no more."""
    return replace(wanted, start=page.last) if page.last is not None and page.number == wanted.limit else None


async def _last(wanted: Filter, page: Task) -> str | None:
    following = _following(wanted, await page)
    return following.start if following else None


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None
