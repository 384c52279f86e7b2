"""What users keep in the explorer goes with their accounts."""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from commonshub.core.database import Database
from commonshub.core.errors import Unavailable
from commonshub.core.grants import CHANNEL
from commonshub.core.listen import Listener
from commonshub.core.tasks import cancel

from .setstore import forget_deleted

REST_S = 5.0
"""Changes of users and policies come many at a time."""

log = logging.getLogger(__name__)


class Accounts:
    """Forgets the saved sets of accounts that were deleted, those of the time before the start, too."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._changed = asyncio.Event()
        self._listener = Listener(database, CHANNEL, lambda _: self._changed.set())
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow."""
        await self._listener.start()
        self._changed.set()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop following."""
        await self._listener.stop()
        await cancel(self._task)

    async def _follow(self) -> None:
        settings = self.database.settings
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.database.run(forget_deleted, settings.explore_schema, settings.auth_schema)
            except (Unavailable, SQLAlchemyError) as error:
                log.warning("The saved sets of deleted users could not be deleted, trying again: %s", error)
                self._changed.set()
            await asyncio.sleep(REST_S)
