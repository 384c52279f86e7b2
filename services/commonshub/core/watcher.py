"""Work that is done at a start, and again whenever PostgreSQL tells of a change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from .database import Database
from .errors import CommonsError
from .listen import Listener
from .tasks import cancel

RETRY_S = 1.0

log = logging.getLogger(__name__)


class Watcher:
    """Does its work after each notification; many that come meanwhile are one.

    Parameters
    ----------
    channel
        Where changes are told.
    work
        What is done; where it fails with a fault of ours or of the database it is tried again.
    failed
        What to log then.
    rest_s
        Least time from the end of one work to the next, in seconds.
    """

    def __init__(
        self,
        database: Database,
        channel: str,
        work: Callable[[], Awaitable[None]],
        failed: str,
        rest_s: float = 0,
    ) -> None:
        self._work = work
        self._failed = failed
        self._rest_s = rest_s
        self._changed = asyncio.Event()
        self._listener = Listener(database, channel, lambda _: self._changed.set())
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Watch; what has changed since the start is noticed as well."""
        await self._listener.start()
        self._changed.set()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Watch no more."""
        await self._listener.stop()
        await cancel(self._task)

    async def _watch(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            rest_s = self._rest_s
            try:
                await self._work()
            except (CommonsError, SQLAlchemyError) as error:
                log.warning("%s, trying again: %s", self._failed, error)
                self._changed.set()
                rest_s = max(rest_s, RETRY_S)
            await asyncio.sleep(rest_s)
