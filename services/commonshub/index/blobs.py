"""Finds uploads that have ended and measures them: size and checksums, in constant memory.

No store need tell us when a client has put its bytes into it. The worker learns of a registered upload by a
notification, then looks for the object at growing intervals; a client that asks for its blank record, or an event of
the bucket, makes it look at once. When nothing is pending, one look into the table in :attr:`BlobSettings.idle_s`, a
transaction of a few short statements, is all that it does.

All state is in the table, so any number of workers share the work and a killed one loses nothing (:mod:`.ledger`).
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from traitlets import Float, Integer
from traitlets.config import Configurable

from commonshub.core.blobs import CHANNEL
from commonshub.core.database import Database
from commonshub.core.errors import CommonsError, Unavailable
from commonshub.core.listen import Listener
from commonshub.core.storage import Storage
from commonshub.core.tasks import cancel

from . import ledger
from .ledger import Arrival, Blob, Due, Measurement, Patience, Reading
from .measure import Stopped, read

log = logging.getLogger(__name__)

CHECKS_AT_ONCE = 32
CHECKING_THREADS = 2
BREATH_S = 0.02
STOP_S = 3.0


class BlobSettings(Configurable):
    """The worker that verifies uploads."""

    concurrency = Integer(2, min=1, help="Uploads that one process measures at the same time.").tag(config=True)

    chunk_bytes = Integer(2**20, min=4096, help="Memory for each upload that is being measured, in bytes.").tag(
        config=True
    )

    shortest_wait_s = Float(0.5, help="First wait between two looks for an expected upload, in seconds.").tag(
        config=True
    )

    longest_wait_s = Float(600.0, help="Longest wait between two looks for an expected upload, in seconds.").tag(
        config=True
    )

    age_divisor = Float(
        60.0,
        help="An upload that was registered N seconds ago is looked for every N / age_divisor seconds.",
    ).tag(config=True)

    abandoned_s = Float(
        7 * 86400.0, help="An upload whose bytes have not arrived after so many seconds has failed."
    ).tag(config=True)

    hasten_s = Float(
        0.5, help="A read of a blank record makes the worker look for its bytes, at most once in so many seconds."
    ).tag(config=True)

    lease_s = Float(
        30.0, help="After so many seconds without a sign of life, another process takes an upload over."
    ).tag(config=True)

    progress_s = Float(2.0, help="How often it is noted how far the reading of an upload is, in seconds.").tag(
        config=True
    )

    most_attempts = Integer(5, help="An upload that could not be read so many times has failed.").tag(config=True)

    retry_s = Float(5.0, help="Wait after an upload could not be read, in seconds; doubles each time.").tag(config=True)

    idle_s = Float(30.0, help="Longest wait of the worker between two looks into the database, in seconds.").tag(
        config=True
    )

    @property
    def patience(self) -> Patience:
        """When to look for bytes that have not arrived."""
        return Patience(self.shortest_wait_s, self.longest_wait_s, self.age_divisor, self.abandoned_s)


@dataclass(slots=True)
class Work:
    """One upload that is being measured here; `done` counts bytes."""

    blob: Blob
    done: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    task: "asyncio.Task[None] | None" = None

    def tell(self, done: int) -> None:
        """Note how far it is."""
        self.done = done


class Worker:
    """Verifies uploads until it is stopped.

    Parameters
    ----------
    database, schema
        Where records and blobs are.
    storage
        Where the bytes are.
    settings
        Waits and limits.
    """

    def __init__(self, database: Database, schema: str, storage: Storage, settings: BlobSettings) -> None:
        self.database = database
        self.schema = schema
        self.storage = storage
        self.settings = settings
        self._listener = Listener(database, CHANNEL, self._notified)
        self._wake = asyncio.Event()
        self._hastened: set[str] = set()
        self._looked: dict[str, float] = {}
        self._checking: asyncio.Task[None] | None = None
        self._measuring: dict[UUID | None, Work] = {}
        self._stopping = threading.Event()
        self._checkers = ThreadPoolExecutor(CHECKING_THREADS, thread_name_prefix="blob-check")
        self._readers = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="blob-read")
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin."""
        await self._listener.start()
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._keep())]

    async def stop(self) -> None:
        """End, leaving unfinished work to the next worker."""
        self._stopping.set()
        self._wake.set()
        await self._listener.stop()
        # What is being taken at this moment would stay taken, so that statement gets the time to end.
        await asyncio.wait(self._tasks[:1], timeout=STOP_S)
        works = list(self._measuring.values())
        for work in works:
            work.stopping.set()
        await cancel(*self._tasks, *(work.task for work in works), self._checking)
        await self._release(works)
        self._checkers.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def hasten(self, guid: str) -> None:
        """Look for the bytes of a blank record soon, because somebody waits for them."""
        now = time.monotonic()
        if now - self._looked.get(guid, -self.settings.hasten_s) < self.settings.hasten_s:
            return
        if len(self._looked) > 10 * CHECKS_AT_ONCE:
            self._looked = {key: at for key, at in self._looked.items() if now - at < self.settings.hasten_s}
        if len(self._hastened) < CHECKS_AT_ONCE:
            self._looked[guid] = now
            self._hastened.add(guid)
            self._wake.set()

    def _notified(self, guid: str | None) -> None:
        if guid and len(self._hastened) < CHECKS_AT_ONCE:
            self._hastened.add(guid)
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                wait_s = await self._pass()
            except (CommonsError, SQLAlchemyError) as error:
                log.error(
                    "The list of uploads could not be read; trying again: %s",
                    error,
                    exc_info=not isinstance(error, Unavailable),
                )
                wait_s = self.settings.retry_s
            await asyncio.sleep(BREATH_S)
            try:
                await asyncio.wait_for(self._wake.wait(), wait_s)
            except TimeoutError:
                continue

    async def _pass(self) -> float:
        """Hand out what is due; seconds until there may be more."""
        free = self.settings.concurrency - len(self._measuring)
        hastened = self._hastened if self._checking is None else set()
        if self._checking is None:
            self._hastened = set()
        due: Due = await self.database.run(
            ledger.take,
            self.schema,
            awaited=CHECKS_AT_ONCE if self._checking is None else 0,
            arrived=free,
            hastened=hastened,
            lease_s=self.settings.lease_s,
            patience=self.settings.patience,
        )
        if due.awaited:
            self._checking = asyncio.create_task(self._check(due.awaited))
        for blob in due.arrived:
            self._measuring[blob.claim] = work = Work(blob)
            work.task = asyncio.create_task(self._verify(work))
        return self.settings.idle_s if due.next_s is None else min(due.next_s, self.settings.idle_s)

    async def _check(self, blobs: list[Blob]) -> None:
        """Look which of these have arrived."""
        loop = asyncio.get_running_loop()
        looks = [loop.run_in_executor(self._checkers, self.storage.head, blob.location) for blob in blobs]
        try:
            heads = await asyncio.gather(*looks, return_exceptions=True)
            if faults := [head for head in heads if isinstance(head, BaseException)]:
                log.warning("The store did not say whether %d expected uploads are there: %s", len(faults), faults[0])
            there = [
                Arrival(blob, head.size, head.stamp)
                for blob, head in zip(blobs, heads, strict=True)
                if head is not None and not isinstance(head, BaseException)
            ]
            if there:
                await self.database.run(ledger.arrive, self.schema, there)
        except (CommonsError, SQLAlchemyError) as error:
            log.error(
                "What has arrived could not be noted; it is looked for again: %s",
                error,
                exc_info=not isinstance(error, Unavailable),
            )
        finally:
            self._checking = None
            self._wake.set()

    async def _verify(self, work: Work) -> None:
        """Measure one upload and write down what it is; the named boundary for whatever goes wrong with it."""
        loop = asyncio.get_running_loop()
        blob = work.blob
        try:
            found = await loop.run_in_executor(
                self._readers, read, self.storage, blob.location, self.settings.chunk_bytes, work.stopping, work.tell
            )
            if await self._settle(blob, found):
                log.info("%s is verified: %d bytes.", blob.location, found.size)
        except Stopped:
            await self._release([work])
        except Exception as error:  # noqa: BLE001 -- one bad upload must not end the others' worker
            log.warning("%s could not be verified: %s", blob.location, error)
            await self._postpone(blob, error)
        finally:
            del self._measuring[blob.claim]
            self._wake.set()

    async def _settle(self, blob: Blob, found: Measurement) -> bool:
        """Write down what was measured; a database that is away is waited for, rather than all bytes read again."""
        while True:
            try:
                return await self.database.run(ledger.settle, self.schema, blob, found)
            except Unavailable:
                log.warning("What %s is could not be written down; trying again.", blob.location)
                await asyncio.sleep(self.settings.retry_s)

    async def _postpone(self, blob: Blob, error: Exception) -> None:
        # A store that is away says nothing about the upload.
        away = isinstance(error, Unavailable)
        await self._note(
            ledger.postpone,
            blob,
            str(error) or type(error).__name__,
            wait_s=self.settings.retry_s * (1 if away else 2**blob.attempts),
            most_attempts=None if away else self.settings.most_attempts,
        )

    async def _release(self, works: Collection[Work]) -> None:
        if works:
            await self._note(ledger.release, _readings(works))

    async def _note(self, function: Callable[..., None], *arguments: object, **options: object) -> None:
        """Write something that may as well stay unwritten: what it is about falls due again by itself."""
        try:
            await self.database.run(function, self.schema, *arguments, **options)
        except (CommonsError, SQLAlchemyError) as error:
            log.error(
                "The state of an upload could not be noted; it falls due again by itself: %s",
                error,
                exc_info=not isinstance(error, Unavailable),
            )

    async def _keep(self) -> None:
        """Say how far everything is that is being measured, and stop what another worker has taken over."""
        while True:
            await asyncio.sleep(min(self.settings.progress_s, self.settings.lease_s / 3))
            works = list(self._measuring.values())
            if not works:
                continue
            try:
                held = await self.database.run(ledger.renew, self.schema, _readings(works), self.settings.lease_s)
            except (CommonsError, SQLAlchemyError) as error:
                log.error(
                    "The leases on running measurements could not be renewed: %s",
                    error,
                    exc_info=not isinstance(error, Unavailable),
                )
                continue
            for work in works:
                if work.blob.claim not in held:
                    work.stopping.set()


def _readings(works: Collection[Work]) -> list[Reading]:
    return [Reading(work.blob.guid, work.blob.claim, work.done) for work in works if work.blob.claim]
