"""A running process keeps to the version of the dictionary that is in force."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from .database import Database
from .errors import CommonsError
from .listen import Listener
from .tasks import cancel
from .versions import CHANNEL, Version, load, newest

RETRY_S = 1.0

log = logging.getLogger(__name__)


class Follower:
    """Keeps a process on the version in force.

    Parameters
    ----------
    version
        What it has started on.
    use
        Called on the event loop with each new version.
    """

    def __init__(self, database: Database, version: Version, use: Callable[[Version], Awaitable[None]]) -> None:
        self.database = database
        self.version = version
        self._use = use
        self._listener = Listener(database, CHANNEL, lambda _: self._changed.set())
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow; what has changed since the start is noticed as well."""
        await self._listener.start()
        self._changed.set()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stay on what is."""
        await self._listener.stop()
        await cancel(self._task)

    async def refresh(self) -> None:
        """Be on the version in force when this returns.

        Raises
        ------
        Unavailable
            PostgreSQL cannot be reached.
        """
        async with self._reading:
            schema = self.database.settings.graph_schema
            row = await self.database.run(newest, schema)
            if row is None or row.number == self.version.number:
                return
            version = await self.database.run(load, schema, row.number)
            await self._use(version)
            self.version = version
            log.info("Version %d of the dictionary is in use.", version.number)

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.refresh()
            except (CommonsError, SQLAlchemyError) as error:
                log.warning("The dictionary could not be read; the earlier one stays in use, trying again: %s", error)
                self._changed.set()
                await asyncio.sleep(RETRY_S)
