"""Notifications of PostgreSQL on the event loop, over a connection that mends itself."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2 import sql

from .database import Database
from .tasks import cancel

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 10.0
# A peer that vanished without a word is noticed after about a minute.
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

log = logging.getLogger(__name__)


class Listener:
    """Calls back for every notification on one channel.

    Parameters
    ----------
    database
        Where to listen. The connection is one of its own, outside the pool.
    channel
        Name of the channel.
    on_notify
        Called on the event loop with the payload of each notification, and with None after the connection was lost
        and made again: whatever was sent in between is unknown.
    """

    def __init__(self, database: Database, channel: str, on_notify: Callable[[str | None], None]) -> None:
        self.database = database
        self.channel = channel
        self.on_notify = on_notify
        self._connection: Any = None
        self._descriptor = -1
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()

    async def start(self) -> None:
        """Listen, now if PostgreSQL answers and otherwise as soon as it does."""
        try:
            await self._connect()
        except psycopg2.OperationalError:
            log.warning("PostgreSQL does not answer yet; listening on %s as soon as it does.", self.channel)
            self._lost.set()
        self._task = asyncio.create_task(self._mend())

    async def stop(self) -> None:
        """Stop listening."""
        await cancel(self._task)
        self._disconnect()

    async def _mend(self) -> None:
        delay = FIRST_RETRY_S
        while True:
            await self._lost.wait()
            try:
                await self._connect()
            except psycopg2.OperationalError:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_RETRY_S)
                continue
            delay = FIRST_RETRY_S
            self._lost.clear()
            self.on_notify(None)

    async def _connect(self) -> None:
        connection = await asyncio.to_thread(self._open)
        self._connection = connection
        self._descriptor = connection.fileno()
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def _open(self) -> Any:
        engine = self.database.engine
        arguments, keywords = engine.dialect.create_connect_args(engine.url)
        connection = psycopg2.connect(*arguments, **{**keywords, **_KEEPALIVE, "application_name": "commonshub listen"})
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("listen {}").format(sql.Identifier(self.channel)))
        return connection

    def _read(self) -> None:
        try:
            self._connection.poll()
        except psycopg2.Error:
            log.warning("The connection that listens on %s was lost; making it again.", self.channel)
            self._disconnect()
            self._lost.set()
            return
        notifications = list(self._connection.notifies)
        self._connection.notifies.clear()
        for notification in notifications:
            self.on_notify(notification.payload)

    def _disconnect(self) -> None:
        if self._connection is None:
            return
        # By the remembered number: libpq closes the socket itself when the server has gone, and has none to give then.
        # Left registered, a new connection that gets the same number would never be read.
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._connection.close()
        self._connection = None
