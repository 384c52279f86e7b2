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


class Ahead:
    """Reads pages for one process, some of them ahead.

    Parameters
    ----------
    read
        Reads the page of a filter.
    view
        Tells what is seen now.
    most
        Pages ahead that are kept, and readers that are known.
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
        self._begun: OrderedDict[bytes, Task] = OrderedDict()
        self._useless_at = float("-inf")

    async def page(self, wanted: Filter) -> Page:
        """The records that pass a filter."""
        name = wanted.digest()
        reads_on = self._expected.pop(name, name) is None
        begun = self._begun.pop(name, None)
        page = (begun and await self._still_true(begun)) or await self._read(wanted)
        if page.last is not None and page.number == wanted.limit:
            self._prepare(replace(wanted, start=page.last), reads_on)
        return page

    async def _still_true(self, begun: Task) -> Page | None:
        """A page ahead, unless something was written since it was read."""
        view, _ = await asyncio.gather(self._view(), asyncio.wait([begun]))
        # What went wrong is told to the reader if it does so again.
        if not _failed(begun) and begun.result().view == view:
            return begun.result()
        self._useless_at = asyncio.get_running_loop().time()
        return None

    def _prepare(self, following: Filter, reads_on: bool) -> None:
        """Expect a reader to ask for this page, and begin to read it for one who has read on before."""
        loop, name = asyncio.get_running_loop(), following.digest()
        self._expected[name] = None
        while len(self._expected) > self._most:
            self._expected.popitem(last=False)
        if reads_on and name not in self._begun and loop.time() - self._useless_at > self._life_s:
            page = self._begun[name] = loop.create_task(self._read(following))
            page.add_done_callback(_failed)
            loop.call_later(self._life_s, self._leave, name, page)
            while len(self._begun) > self._most:
                self._leave(*next(iter(self._begun.items())))

    def _leave(self, name: bytes, page: Task) -> None:
        if self._begun.get(name) is page:
            del self._begun[name]
            page.cancel()

    async def close(self) -> None:
        """Leave all pages that nobody has asked for."""
        await cancel(*self._begun.values())


def _failed(page: Task) -> bool:
    return page.cancelled() or page.exception() is not None
