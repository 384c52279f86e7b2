"""Finishes deletions that a crash or a failing store has left half done (:mod:`commonshub.core.deletions`)."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import SQLAlchemyError

from commonshub.core import deletions
from commonshub.core.database import Database
from commonshub.core.deletions import Doomed
from commonshub.core.errors import CommonsError, Unavailable
from commonshub.core.storage import Storage
from commonshub.core.tasks import cancel

from .blobs import BlobSettings

log = logging.getLogger(__name__)

AT_ONCE = 16
THREADS = 2
SHORTEST_S = 0.1


class Sweeper:
    """Deletes doomed bytes until it is stopped; any number of processes share the work.

    Parameters
    ----------
    database, schema
        Where the notes are.
    storage
        Where the bytes are.
    settings
        Waits.
    """

    def __init__(self, database: Database, schema: str, storage: Storage, settings: BlobSettings) -> None:
        self.database = database
        self.schema = schema
        self.storage = storage
        self.settings = settings
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="blob-delete")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what is not finished falls due again."""
        await cancel(self._task)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            try:
                taken, next_s = await self.database.run(
                    deletions.take, self.schema, AT_ONCE, lease_s=self.settings.lease_s
                )
                await asyncio.gather(*(self._delete(each) for each in taken))
                wait_s = self.settings.idle_s if next_s is None else min(next_s, self.settings.idle_s)
            except (CommonsError, SQLAlchemyError) as error:
                log.error(
                    "The list of deletions could not be read; trying again: %s",
                    error,
                    exc_info=not isinstance(error, Unavailable),
                )
                wait_s = self.settings.retry_s
            await asyncio.sleep(max(wait_s, SHORTEST_S))

    async def _delete(self, doomed: Doomed) -> None:
        """Delete the bytes at one location; the named boundary for whatever goes wrong with it."""
        location = doomed.location
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self.storage.delete, location)
        except Exception as error:  # noqa: BLE001 -- one bad location must not end the others' deletion
            log.warning("%s, whose record is deleted, could not be deleted: %s", location, error)
            wait_s = min(self.settings.longest_wait_s, self.settings.retry_s * 2 ** min(doomed.attempts, 20))
            reason = str(error) or type(error).__name__
            await self.database.run(deletions.postpone, self.schema, location, reason, wait_s)
        else:
            await self.database.run(deletions.end, self.schema, [location])
            log.info("%s is deleted, as its record %s was.", location, doomed.guid)
