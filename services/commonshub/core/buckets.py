"""Buckets that an administrator has registered while the commons runs.

They are rows of a table of the index. Every process that signs URLs keeps its :class:`~.settings.StorageSettings` in
step with them: the row of a bucket counts as if it stood in ``StorageSettings.stores`` and ``bucket_resources``. What
the configuration says of a bucket goes before.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.exc import SQLAlchemyError
from traitlets import TraitError

from .catalog import tables
from .database import Database
from .errors import BadRequest, CommonsError, Conflict, NotFound, Unavailable
from .listen import Listener
from .policy import parse_path
from .settings import StorageSettings
from .tasks import cancel

CHANNEL = "commonshub_bucket"
RETRY_S = 5.0
EVERYBODY = "*"
# Both become part of a host name at AWS, where nothing else may begin.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_REGION = re.compile(r"[A-Za-z0-9-]{0,64}")

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
        if not _NAME.fullmatch(self.name):
            raise BadRequest(f"{self.name[:80]!r} is not the name of a bucket.")
        try:
            StorageSettings(stores={self.name: dict(self.store)})
        except TraitError as error:
            raise BadRequest(str(error)) from error
        if not _REGION.fullmatch(self.store.get("region", "")):
            raise BadRequest("region must be made of letters, digits and hyphens.")
        if endpoint := self.store.get("endpoint_url"):
            _check_endpoint(endpoint)
        for prefix, paths in self.resources.items():
            if f"{prefix.rstrip('/')}/".partition(f"s3://{self.name}/")[0]:
                raise BadRequest(f"The prefix {prefix!r} is not in the bucket: it must begin with s3://{self.name}.")
            for path in paths:
                if path != EVERYBODY:
                    parse_path(path)


def _check_endpoint(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = url.startswith(("http://", "https://")) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isprintable() or any(sign in url for sign in "@?#\\ "):
        raise BadRequest(f"endpoint_url must be an http(s) URL without user, query and fragment, not {url[:200]!r}.")


def add(connection: sa.Connection, schema: str, bucket: Bucket) -> None:
    """Register a bucket; every service hears of it.

    Raises
    ------
    Conflict
        It is registered already.
    """
    table = tables(schema).bucket
    values = {"store": dict(bucket.store), "resources": dict(bucket.resources)}
    statement = pg.insert(table).values(name=bucket.name, created=sa.func.clock_timestamp(), **values)
    if connection.execute(statement.on_conflict_do_nothing().returning(table.c.name)).one_or_none() is None:
        raise Conflict(f"A bucket {bucket.name!r} is registered already.")
    _tell(connection)


def change(connection: sa.Connection, schema: str, bucket: Bucket) -> None:
    """Replace what is registered of a bucket; every service hears of it.

    Raises
    ------
    NotFound
        It is not registered.
    """
    table = tables(schema).bucket
    values = {"store": dict(bucket.store), "resources": dict(bucket.resources)}
    if connection.execute(sa.update(table).where(table.c.name == bucket.name).values(values)).rowcount == 0:
        raise _unknown(bucket.name)
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
        raise _unknown(name)
    _tell(connection)


def get(connection: sa.Connection, schema: str, name: str) -> Bucket:
    """One registered bucket, which nobody else changes until the transaction ends.

    Raises
    ------
    NotFound
        It is not registered.
    """
    table = tables(schema).bucket
    query = sa.select(table.c.name, table.c.store, table.c.resources).where(table.c.name == name).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise _unknown(name)
    return Bucket(*row)


def _unknown(name: str) -> NotFound:
    return NotFound(f"No bucket {name[:80]!r} is registered. (Those of the configuration are changed there.)")


def pointing(connection: sa.Connection, schema: str, name: str) -> int:
    """How many records point into a bucket. This reads all records."""
    record = tables(schema).record
    prefix = f"s3://{name}/"
    urls = sa.func.unnest(record.c.urls).table_valued("url").render_derived(name="urls")
    points = sa.exists(sa.select(urls.c.url).where(sa.func.starts_with(urls.c.url, prefix)))
    return connection.execute(sa.select(sa.func.count()).select_from(record).where(points)).scalar_one()


def uploading(connection: sa.Connection, schema: str, name: str) -> int:
    """How many uploads into a bucket are expected, or are there and not verified yet."""
    blob = tables(schema).blob
    return _places(connection, blob, name, blob.c.state.in_(("registered", "uploaded")))


def deleting(connection: sa.Connection, schema: str, name: str) -> int:
    """In how many places of a bucket bytes are still being deleted."""
    return _places(connection, tables(schema).deletion, name)


def _places(connection: sa.Connection, table: sa.Table, name: str, *more: sa.ColumnElement[bool]) -> int:
    here = sa.func.starts_with(table.c.location, f"s3://{name}/")
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(here, *more)).scalar_one()


def require_free(settings: StorageSettings, bucket: Bucket) -> None:
    """Raise unless a bucket may be registered beside what the configuration says.

    Raises
    ------
    Conflict
        The configuration has a bucket of this name, or ties a part of it to resource paths.
    """
    name, registered = bucket.name, settings.registered
    if name in {settings.upload_bucket, *settings.buckets, *settings.stores} - registered:
        raise Conflict(f"The bucket {name} stands in the configuration; change it there.")
    if bucket.resources and name not in registered and _tied(settings.bucket_resources, name):
        raise Conflict(f"The configuration (StorageSettings.bucket_resources) names parts of {name}; change it there.")


def _tied(resources: Mapping[str, Any], name: str) -> bool:
    return any(f"{prefix.rstrip('/')}/".startswith(f"s3://{name}/") for prefix in resources)


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
        await cancel(self._task)
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
            if bucket.resources and _tied(resources, bucket.name):
                # A longer prefix would count before the configuration's.
                log.warning("Only what the configuration ties parts of the bucket %s to counts.", bucket.name)
                continue
            tied |= bucket.resources
        # At no moment may one of these be taken for a store of the operator's.
        self.settings.registered |= frozenset(added)
        self.settings.stores = {**added, **stores}
        self.settings.registered = frozenset(added)
        self.settings.bucket_resources = {**tied, **resources}
