"""Finds uploads that have ended and measures them: size, md5 and sha256, in constant memory.

Nobody tells us when a client has put its bytes into the store. The worker learns of a registered upload by a
notification, then looks for the object at growing intervals; a client that asks for its blank record makes it look at
once. When nothing is pending, one query in :attr:`BlobSettings.idle_s` is all that it does.

All state is in the table, so any number of workers share the work and a killed one loses nothing (:mod:`.ledger`).
"""

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import SQLAlchemyError
from traitlets import Float, Integer
from traitlets.config import Configurable

from commonshub.core.database import Database
from commonshub.core.errors import CommonsError
from commonshub.core.listen import Listener
from commonshub.core.records import CHANNEL
from commonshub.core.storage import Head, Storage

from . import ledger
from .ledger import Blob, Due, Measurement, Patience

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

    most_attempts = Integer(5, help="An upload that could not be read so many times has failed.").tag(config=True)

    retry_s = Float(5.0, help="Wait after an upload could not be read, in seconds; doubles each time.").tag(config=True)

    idle_s = Float(30.0, help="Longest wait of the worker between two looks into the database, in seconds.").tag(
        config=True
    )

    @property
    def patience(self) -> Patience:
        """When to look for bytes that have not arrived."""
        return Patience(self.shortest_wait_s, self.longest_wait_s, self.age_divisor, self.abandoned_s)


class Stopped(CommonsError):
    """The service stops while bytes are read."""


def measure(chunks: Iterable[bytes], stopping: threading.Event) -> Measurement:
    """Size and checksums of a stream that is read once.

    Raises
    ------
    Stopped
        `stopping` was set before the end.
    """
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size = 0
    for chunk in chunks:
        if stopping.is_set():
            raise Stopped("The service stops.")
        size += len(chunk)
        md5.update(chunk)
        sha256.update(chunk)
    return Measurement(size, {"md5": md5.hexdigest(), "sha256": sha256.hexdigest()})


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
        self._measuring: dict[str, asyncio.Task[None]] = {}
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
        running = [*self._tasks, *self._measuring.values(), *([self._checking] if self._checking else [])]
        unfinished = list(self._measuring)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if unfinished:
            await self.database.run(ledger.release, self.schema, unfinished)
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
        if guid is not None and len(self._hastened) < CHECKS_AT_ONCE:
            self._hastened.add(guid)
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                wait_s = await self._pass()
            except (CommonsError, SQLAlchemyError):
                log.exception("The list of uploads could not be read; trying again.")
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
            self._measuring[blob.guid] = asyncio.create_task(self._verify(blob))
        return self.settings.idle_s if due.next_s is None else min(due.next_s, self.settings.idle_s)

    async def _check(self, blobs: list[Blob]) -> None:
        """Look which of these have arrived."""
        loop = asyncio.get_running_loop()
        looks = [loop.run_in_executor(self._checkers, self.storage.head, blob.location) for blob in blobs]
        try:
            heads = await asyncio.gather(*looks, return_exceptions=True)
            if faults := [head for head in heads if isinstance(head, BaseException)]:
                log.warning("The store did not say whether %d expected uploads are there: %s", len(faults), faults[0])
            there = [blob for blob, head in zip(blobs, heads, strict=True) if isinstance(head, Head)]
            if there:
                await self.database.run(ledger.arrive, self.schema, there)
        except (CommonsError, SQLAlchemyError):
            log.exception("What has arrived could not be noted; it is looked for again.")
        finally:
            self._checking = None
            self._wake.set()

    async def _verify(self, blob: Blob) -> None:
        """Measure one upload and write down what it is; the named boundary for whatever goes wrong with it."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._readers, self._read, blob)
            if await self.database.run(ledger.settle, self.schema, blob, found):
                log.info("%s is verified: %d bytes.", blob.location, found.size)
        except Stopped:
            await self.database.run(ledger.release, self.schema, [blob.guid])
        except Exception as error:  # noqa: BLE001 -- one bad upload must not end the others' worker
            log.warning("%s could not be verified: %s", blob.location, error)
            await self._postpone(blob, str(error) or type(error).__name__)
        finally:
            del self._measuring[blob.guid]
            self._wake.set()

    def _read(self, blob: Blob) -> Measurement:
        """On a thread: read the bytes once, and make sure that they stayed what they were."""
        before = self.storage.head(blob.location)
        found = measure(self.storage.stream(blob.location, self.settings.chunk_bytes), self._stopping)
        after = self.storage.head(blob.location)
        if before != after or after is None or after.size != found.size:
            raise CommonsError(f"{blob.location} changed while it was read.")
        return found

    async def _postpone(self, blob: Blob, reason: str) -> None:
        wait_s = self.settings.retry_s * 2**blob.attempts
        try:
            await self.database.run(
                ledger.postpone,
                self.schema,
                blob,
                reason,
                wait_s=wait_s,
                most_attempts=self.settings.most_attempts,
            )
        except (CommonsError, SQLAlchemyError):
            log.exception("That %s failed could not be noted; it falls due again by itself.", blob.location)

    async def _keep(self) -> None:
        """Say for everything that is being measured that its worker lives."""
        while True:
            await asyncio.sleep(self.settings.lease_s / 3)
            if self._measuring:
                try:
                    await self.database.run(ledger.renew, self.schema, list(self._measuring), self.settings.lease_s)
                except (CommonsError, SQLAlchemyError):
                    log.exception("The leases on running measurements could not be renewed.")
