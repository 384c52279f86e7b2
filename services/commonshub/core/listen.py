"""Notifications of PostgreSQL on the event loop, over a connection that mends itself.

All listeners of a process share one connection: each would cost the server a process of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
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
        Where to listen. The connection is outside the pool.
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

    async def start(self) -> None:
        """Listen, now if PostgreSQL answers and otherwise as soon as it does."""
        if self.database.wire is None:
            self.database.wire = Wire(self.database)
        await self.database.wire.join(self)

    async def stop(self) -> None:
        """Stop listening."""
        if self.database.wire is not None:
            await self.database.wire.leave(self)


class Wire:
    """The connection on which the listeners of one database hear."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: list[Listener] = []
        self._connection: Any = None
        self._descriptor = -1
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._changing = asyncio.Lock()

    async def join(self, listener: Listener) -> None:
        """Let a listener hear from now on; the first one makes the connection."""
        async with self._changing:
            self._listeners.append(listener)
            try:
                if self._connection is not None:
                    await self._widen(listener.channel)
                elif self._task is None:
                    await self._connect()
            except psycopg2.OperationalError:
                log.warning("PostgreSQL does not answer; listening on %s as soon as it does.", listener.channel)
                self._disconnect()
                self._lost.set()
            if self._task is None:
                self._task = asyncio.create_task(self._mend())

    async def leave(self, listener: Listener) -> None:
        """Let a listener hear no more; the last one takes the connection with it."""
        if listener not in self._listeners:
            return
        self._listeners.remove(listener)
        if not self._listeners:
            task, self._task = self._task, None
            await cancel(task)
            self._disconnect()
            self._lost.clear()

    async def _mend(self) -> None:
        delay = FIRST_RETRY_S
        while True:
            await self._lost.wait()
            try:
                async with self._changing:
                    await self._connect()
            except psycopg2.OperationalError:
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_RETRY_S)
                continue
            delay = FIRST_RETRY_S
            self._lost.clear()
            for listener in list(self._listeners):
                listener.on_notify(None)

    async def _connect(self) -> None:
        connection = await asyncio.to_thread(self._open)
        self._connection = connection
        self._descriptor = connection.fileno()
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    async def _widen(self, channel: str) -> None:
        loop = asyncio.get_running_loop()
        # The answer is for the thread that waits for it; what else comes with it is read below.
        loop.remove_reader(self._descriptor)
        await asyncio.to_thread(_listen, self._connection, [channel])
        loop.add_reader(self._descriptor, self._read)
        self._read()

    def _open(self) -> Any:
        engine = self._database.engine
        arguments, keywords = engine.dialect.create_connect_args(engine.url)
        connection = psycopg2.connect(*arguments, **{**keywords, **_KEEPALIVE, "application_name": "commonshub listen"})
        connection.autocommit = True
        _listen(connection, [listener.channel for listener in self._listeners])
        return connection

    def _read(self) -> None:
        try:
            self._connection.poll()
        except psycopg2.Error:
            log.warning("The connection that listens was lost; making it again.")
            self._disconnect()
            self._lost.set()
            return
        notifications = list(self._connection.notifies)
        self._connection.notifies.clear()
        for notification in notifications:
            for listener in list(self._listeners):
                if listener.channel == notification.channel:
                    listener.on_notify(notification.payload)

    def _disconnect(self) -> None:
        if self._connection is None:
            return
        # By the remembered number: libpq closes the socket itself when the server has gone, and has none to give then.
        # Left registered, a new connection that gets the same number would never be read.
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._connection.close()
        self._connection = None


def _listen(connection: Any, channels: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for channel in dict.fromkeys(channels):
            cursor.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
