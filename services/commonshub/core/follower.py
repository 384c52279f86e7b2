"""A running process keeps to the version of the dictionary that is in force."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .database import Database
from .versions import CHANNEL, Version, load, newest
from .watcher import Watcher

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
        self._reading = asyncio.Lock()
        failed = "The dictionary could not be read; the earlier one stays in use"
        self._watcher = Watcher(database, CHANNEL, self.refresh, failed)

    async def start(self) -> None:
        """Follow; what has changed since the start is noticed as well."""
        await self._watcher.start()

    async def stop(self) -> None:
        """Stay on what is."""
        await self._watcher.stop()

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
