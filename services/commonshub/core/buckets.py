"""Buckets that an administrator has registered while the commons runs.

They are rows of a table of the index. Every process that signs URLs keeps its :class:`~.settings.StorageSettings` in
step with them: the row of a bucket counts as if it stood in ``StorageSettings.stores`` and ``bucket_resources``. What
the configuration says of a bucket goes before.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.exc import SQLAlchemyError
from traitlets import TraitError

from .catalog import tables
from .database import Database
from .errors import BadRequest, CommonsError, NotFound, Unavailable
from .listen import Listener
from .policy import parse_path
from .settings import StorageSettings
from .storage import Location

CHANNEL = "commonshub_bucket"
RETRY_S = 5.0
EVERYBODY = "*"

log = logging.getLogger(__name__)


class Bucket(NamedTuple):
    """One registered bucket.

    Parameters
    ----------
    store
        What ``StorageSettings.stores`` may say of it.
    resources
        Prefixes (``s3://bucket/folder``) and their resource paths, as in ``StorageSettings.bucket_resources``.
    """

    name: str
    store: Mapping[str, Any]
    resources: Mapping[str, list[str]]

    def check(self) -> None:
        """Raise unless the services can use this.

        Raises
        ------
        BadRequest
            A name, a field, a prefix or a path is malformed; the message names it.
        """
        if Location.parse(f"s3://{self.name}/key").bucket != self.name:
            raise BadRequest(f"{self.name!r} is not the name of a bucket.")
        try:
            StorageSettings(stores={self.name: dict(self.store)})
        except TraitError as error:
            raise BadRequest(str(error)) from error
        for prefix, paths in self.resources.items():
            if f"{prefix.rstrip('/')}/".partition(f"s3://{self.name}/")[0]:
                raise BadRequest(f"The prefix {prefix!r} is not in the bucket: it must begin with s3://{self.name}.")
            for path in paths:
                if path != EVERYBODY:
                    parse_path(path)


def save(connection: sa.Connection, schema: str, bucket: Bucket) -> None:
    """Register a bucket, or change it; every service hears of it."""
    table = tables(schema).bucket
    values = {"store": dict(bucket.store), "resources": dict(bucket.resources)}
    statement = pg.insert(table).values(name=bucket.name, created=sa.func.clock_timestamp(), **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
    _tell(connection)


def remove(connection: sa.Connection, schema: str, name: str) -> None:
    """Forget a bucket; what lies in it stays.

    Raises
    ------
    NotFound
        It is not registered.
    """
    table = tables(schema).bucket
    if connection.execute(sa.delete(table).where(table.c.name == name)).rowcount == 0:
        raise NotFound(f"No bucket {name!r} is registered. (Those of the configuration are changed there.)")
    _tell(connection)


def _tell(connection: sa.Connection) -> None:
    connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))


def read(connection: sa.Connection, schema: str) -> list[Bucket]:
    """All registered buckets; none before the index has made its tables."""
    table = tables(schema).bucket
    if not sa.inspect(connection).has_table(table.name, schema=schema):
        return []
    query = sa.select(table.c.name, table.c.store, table.c.resources).order_by(table.c.name)
    return [Bucket(*row) for row in connection.execute(query)]


class Buckets:
    """Keeps the settings of a process in step with what is registered.

    Parameters
    ----------
    settings
        Changed in place; whatever signs URLs reads it anew each time.
    """

    def __init__(self, database: Database, settings: StorageSettings) -> None:
        self.database = database
        self.settings = settings
        self._configured = dict(settings.stores), dict(settings.bucket_resources)
        self._listener = Listener(database, CHANNEL, self._notified)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read what is registered, and follow its changes."""
        await self._listener.start()
        await self._refresh()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._listener.stop()

    def load(self) -> None:
        """Read what is registered once, for a command."""
        self._apply(self.database.call(read, self.database.settings.index_schema))

    def _notified(self, _payload: str | None) -> None:
        self._changed.set()

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            if not await self._refresh():
                await asyncio.sleep(RETRY_S)

    async def _refresh(self) -> bool:
        self._changed.clear()
        try:
            self._apply(await self.database.run(read, self.database.settings.index_schema))
        except (CommonsError, SQLAlchemyError) as error:
            log.error(
                "The registered buckets could not be read; trying again: %s",
                error,
                exc_info=not isinstance(error, Unavailable),
            )
            self._changed.set()
            return False
        return True

    def _apply(self, found: Iterable[Bucket]) -> None:
        stores, resources = self._configured
        added: dict[str, Any] = {}
        tied: dict[str, Any] = {}
        for bucket in found:
            if bucket.name in {self.settings.upload_bucket, *self.settings.buckets, *stores}:
                log.warning("The bucket %s is registered, but what the configuration says of it counts.", bucket.name)
                continue
            added[bucket.name] = bucket.store
            tied |= bucket.resources
        self.settings.stores = {**added, **stores}
        self.settings.bucket_resources = {**tied, **resources}
