"""Pages of a list that are read before they are asked for.

Who reads a list by GUID takes a page, works on it, and asks for the page after its last record. PostgreSQL can put that
page together in the meantime.

Vocabulary
----------
reader
    Whoever asks for the page that follows one he was given.
view
    What of the database a statement sees, as PostgreSQL names it. Statements with the same view see the same.
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
    end
        What leaves it when nobody has asked for it in time.
    """

    page: Task
    end: asyncio.TimerHandle


class Ahead:
    """Reads pages for one process, some of them ahead.

    Parameters
    ----------
    read
        Reads the page of a filter.
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
        view: Callable[[], Coroutine[Any, Any, str]],
        most: int,
        life_s: float,
    ) -> None:
        self._read = read
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
            begun.page.add_done_callback(lambda page: self._go_on(page, wanted, pages - 1))

    def _begin(self, name: bytes, wanted: Filter) -> Begun | None:
        loop = asyncio.get_running_loop()
        if len(self._begun) >= self._most or loop.time() - self._useless_at <= self._life_s:
            return None
        page = loop.create_task(self._read(wanted))
        page.add_done_callback(_failed)
        begun = self._begun[name] = Begun(page, loop.call_later(self._life_s, self._leave, name))
        return begun

    def _go_on(self, page: Task, wanted: Filter, pages: int) -> None:
        following = None if _failed(page) else _following(wanted, page.result())
        if following:
            self._prepare(following, pages)

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


def _failed(page: Task) -> bool:
    return page.cancelled() or page.exception() is not None
